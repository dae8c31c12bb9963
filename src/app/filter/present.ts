import type { Io } from '../io.ts'
import type { Format } from '../mappings/flags.ts'
import { tabbed, table } from '../mappings/table.ts'
import type { Disagreement } from './cases.ts'
import type { LiveAccount, LiveExample } from './live-account.ts'
import type { PatternVerdict, Verdict } from './verdict.ts'

type Look = Pick<Io, 'columns' | 'colour'>

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** What comes from records must neither break a line nor drive the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, ' ')

const lines = (texts: readonly string[]): string => texts.map(text => `${printable(text)}\n`).join('')

/** One sentence. */
const whyNot = ({ path = '', wanted = '', found = '' }: Partial<PatternVerdict>): string =>
  `${path === '' ? '' : `${path}: `}wanted ${wanted}, found ${found}`

const answer = (match: boolean): string => (match ? 'yes' : 'no')

/** `text`: yes or no on a line of its own, then a line for each pattern there is something to say of. */
export function verdictText(verdict: Verdict, format: Format, look: Look): string {
  const { match, patterns } = verdict
  switch (format) {
    case 'json':
      return json(verdict)
    case 'table': {
      const rows = patterns.map(({ match, path = '', wanted = '', found = '' }, at) => [
        String(at + 1),
        answer(match),
        path,
        wanted,
        found
      ])
      return `${answer(match)}\n\n${table(['PATTERN', 'MATCH', 'PATH', 'WANTED', 'FOUND'], rows, look)}`
    }
    case 'text': {
      const told = patterns.flatMap((pattern, at) => {
        if (pattern.match) return patterns.length === 1 ? [] : [`pattern ${at + 1}: matches`]
        return match ? [] : [`pattern ${at + 1}: ${whyNot(pattern)}`]
      })
      return lines([answer(match), ...told])
    }
    default:
      throw new Error(`no such format: ${format satisfies never}`)
  }
}

/** A disagreement as it is found; nothing for tables, which are made at the end. */
export function disagreementText(disagreement: Disagreement, format: Format): string {
  const { line, name, expected, got, why } = disagreement
  if (format === 'json') return `${JSON.stringify(disagreement)}\n`
  return format === 'table' ? '' : lines([`line ${line}: ${name}: expected ${expected}, got ${got}: ${why}`])
}

/** What stands below the disagreements. `kept`: they themselves, where they make a table. */
export function casesText(
  { cases, disagree }: { readonly cases: number; readonly disagree: number },
  kept: readonly Disagreement[],
  format: Format,
  look: Look
): string {
  if (format === 'json') return `${JSON.stringify({ cases, disagree })}\n`
  const count = `${cases} ${cases === 1 ? 'case' : 'cases'}, ${disagree} ${disagree === 1 ? 'disagrees' : 'disagree'}\n`
  if (kept.length === 0) return count
  const rows = kept.map(({ line, name, expected, got, why }) => [String(line), name, expected, got, why])
  return `${table(['LINE', 'NAME', 'EXPECTED', 'GOT', 'WHY'], rows, look)}\n${count}`
}

export function liveText(account: LiveAccount, format: Format, look: Look): string {
  if (format === 'json') return json(account)
  if (format === 'text') return tabbed(exampleRows(account))
  const { topic, records, pass, refused, mismatched, refusedBy, patterns, examples } = account
  const share = (count: number): string => (records === 0 ? '' : ` (${((100 * count) / records).toFixed(1)} %)`)
  const parts = [
    lines([
      `${records} newest records of ${topic}: ${pass} pass${share(pass)}, ${refused} do not${share(refused)}`,
      ...(mismatched === 0 ? [] : [`${mismatched} have a value of another format than a pattern asks for`])
    ]),
    table(
      ['PATTERN', ''],
      patterns.map((text, at) => [String(at + 1), text]),
      look
    )
  ]
  if (refusedBy.length > 0) {
    const rows = refusedBy.map(({ pattern, condition, records }) => [String(pattern), condition, String(records)])
    parts.push(table(['PATTERN', 'REFUSED BY', 'RECORDS'], rows, look))
  }
  if (examples.length > 0)
    parts.push(table(['ANSWER', 'PARTITION', 'OFFSET', 'VALUE', 'WHY NOT'], exampleRows(account), look))
  return parts.join('\n')
}

const exampleRows = ({ examples }: LiveAccount): string[][] =>
  examples.map(example => [
    example.pass ? 'pass' : 'refused',
    String(example.partition),
    String(example.offset),
    example.value ?? 'null',
    whyOf(example)
  ])

const whyOf = ({ why }: LiveExample): string =>
  why.map((refusal, at) => (why.length === 1 ? whyNot(refusal) : `${at + 1}: ${whyNot(refusal)}`)).join('; ')
