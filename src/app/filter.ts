import { once } from 'node:events'
import { MillraceError } from '../core/errors.ts'
import type { Pattern } from '../core/filter/language.ts'
import { RecordFilter } from '../core/filter/record-filter.ts'
import { exitCodes } from './exit-codes.ts'
import { CaseChecker, type Disagreement } from './filter/cases.ts'
import { readCase } from './filter/case-line.ts'
import { DocumentMatcher } from './filter/document-matcher.ts'
import { explanationText } from './filter/explanation.ts'
import type { FilterAction, FilterFlags } from './filter/flags.ts'
import { readGiven, readLines } from './filter/input.ts'
import { documentPatterns, recordPatterns } from './filter/patterns.ts'
import { casesText, disagreementText, liveText, verdictText } from './filter/present.ts'
import { patternVerdicts, type Verdict } from './filter/verdict.ts'
import { readRecord } from './filter/written-record.ts'
import type { Io } from './io.ts'
import { MappingsApi } from './mappings/api.ts'
import type { Format } from './mappings/flags.ts'
import { formatOf } from './mappings/present.ts'
import { interruptedBy } from './signals.ts'

type Action<K extends FilterAction['kind']> = FilterAction & { readonly kind: K }

/** Carries out one `millrace filter …` and resolves with the exit code. */
export async function runFilter({ action, output }: FilterFlags, io: Io): Promise<number> {
  try {
    const code = await perform(action, output, io)
    return io.stop.aborted ? interruptedBy(io.stop) : code
  } catch (error) {
    // Whatever broke off was broken off by the user.
    if (io.stop.aborted) return interruptedBy(io.stop)
    throw error
  }
}

async function perform(action: FilterAction, output: Format | undefined, io: Io): Promise<number> {
  switch (action.kind) {
    case 'value':
      return show(await testValue(action, io), output, io)
    case 'record':
      return show(await testRecord(action, io), output, io)
    case 'cases':
      return testCases(action, output ?? 'text', io)
    case 'live':
      return testLive(action, output, io)
    case 'explain':
      return explainRefusals(action, output, io)
    default:
      throw new Error(`unknown action ${JSON.stringify(action satisfies never)}`)
  }
}

function show(verdict: Verdict, output: Format | undefined, io: Io): number {
  io.stdout.write(verdictText(verdict, output ?? 'text', io))
  return verdict.match ? exitCodes.ok : exitCodes.failure
}

const readPatterns = async (given: readonly string[], io: Io): Promise<string[]> =>
  Promise.all(given.map(each => readGiven(each, '--pattern', io)))

async function testValue({ patterns: given, value }: Action<'value'>, io: Io): Promise<Verdict> {
  const patterns = documentPatterns(await readPatterns(given, io))
  const answers = new DocumentMatcher(patterns).look(await readGiven(value, '--value', io))
  for (const [at, { plain, scanned }] of answers.entries()) {
    if (plain !== scanned && plain !== undefined)
      throw new Error(
        `the plain matcher says ${plain} of pattern ${at + 1} and the scanner ${scanned}: please report this`
      )
  }
  const match = answers.some(({ scanned }) => scanned)
  if (!match && patterns.every(({ conditions }) => conditions.every(({ path }) => path[0] === 'value')))
    io.stderr.write(
      'millrace: With --value a pattern is for the document itself: leave "value" out, or use --record.\n'
    )
  return {
    match,
    patterns: patternVerdicts(
      patterns,
      answers.map(({ explain }) => explain())
    )
  }
}

async function testRecord(action: Action<'record'>, io: Io): Promise<Verdict> {
  const patterns = recordPatterns(await readPatterns(action.patterns, io))
  const { block, has, guessed } = readRecord(await readGiven(action.record, '--record', io), action.encoding)
  refuseUnknownFields(patterns, has)
  for (const field of guessed)
    io.stderr.write(`millrace: The ${field} was read as base64; with --encoding text it is taken as it stands.\n`)
  const filter = new RecordFilter(patterns, { mismatch: action.mismatch })
  const match = filter.accepts(block, 0)
  if (filter.mismatches > 0)
    io.stderr.write(
      'millrace: The value has another format than a pattern asks for: conditions on it ' +
        (action.mismatch === 'pass' ? 'are left out.\n' : 'fail.\n')
    )
  return { match, patterns: patternVerdicts(patterns, filter.explain(block, 0)) }
}

/** Records of Kafka have all of them: that one is missing says nothing of what the pattern does. */
function refuseUnknownFields(patterns: readonly Pattern[], has: ReadonlySet<string>): void {
  const asked = patterns.flatMap(({ conditions }) => conditions.map(({ path }) => path[0] ?? ''))
  const missing = asked.find(field => field !== 'value' && !has.has(field))
  if (missing === undefined) return
  throw new MillraceError('MILL_FILTER_INPUT', [
    `The record of --record has no ${missing}, which a pattern asks for: add it.`
  ])
}

async function testCases({ cases: file }: Action<'cases'>, format: Format, io: Io): Promise<number> {
  const checker = new CaseChecker()
  const kept: Disagreement[] = []
  let cases = 0
  let disagree = 0
  for await (const line of readLines(file, io)) {
    if (io.stop.aborted) break
    const read = readCase(line)
    if (read === undefined) continue
    cases++
    const disagreement = checker.check(read)
    if (disagreement === undefined) continue
    disagree++
    if (format === 'table') kept.push(disagreement)
    else if (!io.stdout.write(disagreementText(disagreement, format))) await once(io.stdout, 'drain')
  }
  if (cases === 0) io.stderr.write('millrace: There were no cases.\n')
  io.stdout.write(casesText({ cases, disagree }, kept, format, io))
  return disagree === 0 ? exitCodes.ok : exitCodes.failure
}

async function testLive(action: Action<'live'>, output: Format | undefined, io: Io): Promise<number> {
  const patterns = await readPatterns(action.patterns, io)
  // Imported here: who tests a value need not wait for a Kafka client.
  const { runLive } = await import('./filter/live.ts')
  const account = await runLive(action, patterns, io)
  io.stdout.write(liveText(account, formatOf(output, io), io))
  return exitCodes.ok
}

async function explainRefusals(
  { uuid, connection }: Action<'explain'>,
  output: Format | undefined,
  io: Io
): Promise<number> {
  using api = await MappingsApi.open(connection, io)
  const explanation = await api.filterExplanation(uuid)
  if (!explanation.Enabled)
    io.stderr.write(`millrace: Nothing is counted: give the mapping the tag millrace:filter-explain=on.\n`)
  io.stdout.write(explanationText(explanation, formatOf(output, io), io))
  return exitCodes.ok
}
