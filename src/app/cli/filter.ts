import { InvalidArgumentError, Option, type Command } from 'commander'
import {
  encodings,
  mismatches,
  type Encoding,
  type FilterAction,
  type FilterFlags,
  type LiveSource,
  type Mismatch
} from '../filter/flags.ts'
import { formats, type Connection, type Format } from '../mappings/flags.ts'
import { wholeNumber } from './flags.ts'

type Run = (flags: FilterFlags) => Promise<void>

const aUuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'

export function addFilter(program: Command, run: Run): void {
  const filter = program
    .command('filter')
    .description('Try patterns of event filters, and see why records are refused.')
    .addHelpText(
      'after',
      `
Examples:
  millrace filter test --pattern '{"status":["paid"]}' --value '{"status":"open"}'
  millrace filter explain ${aUuid}`
    )
  addTest(filter, run)
  addExplain(filter, run)
  for (const command of filter.commands) {
    command.showHelpAfterError(`Run "millrace filter ${command.name()} --help" for its flags and examples.`)
  }
}

interface TestFlags extends Connection {
  readonly pattern?: readonly string[]
  readonly value?: string
  readonly record?: string
  readonly cases?: string
  readonly live?: string
  readonly last?: number
  readonly bootstrap?: readonly string[]
  readonly eventSourceArn?: string
  readonly sourceAccess?: readonly { readonly Type: string; readonly URI: string }[]
  readonly mismatch?: Mismatch
  readonly encoding?: Encoding
  readonly config?: string
  readonly output?: Format
}

function addTest(filter: Command, run: Run): void {
  const command = filter
    .command('test')
    .description('Say whether a pattern takes a value, a record, or what lies in a topic; and if not, why.')
    .option('--pattern <TEXT|@FILE>', 'a pattern; of several one must match; may be repeated', collect)
    .option('--value <TEXT|@FILE|->', 'a JSON document; the pattern is for the document itself', given)
    .option(
      '--record <JSON|@FILE|->',
      'a record with metadata; the pattern is a mapping’s, with "value" around it',
      given
    )
    .option('--cases <FILE|->', 'JSON lines of cases: all of them are held to what they say', given)
    .option('--live <MAPPING|TOPIC>', 'the newest records of a mapping’s topic (its UUID), or of a topic', given)
    .option('--last <N>', 'with --live: how many records (default 100)', wholeNumber(1, 1_000_000))
    .option('--bootstrap <HOST:PORT,...>', 'with --live TOPIC: bootstrap servers of its cluster', servers)
    .option('--event-source-arn <ARN>', 'with --live TOPIC: its MSK cluster, instead of --bootstrap', given)
    .option(
      '--source-access <TYPE=URI>',
      'with --live TOPIC: an entry of SourceAccessConfigurations; may be repeated',
      collectAccess
    )
    .addOption(
      new Option(
        '--mismatch <what>',
        'with --record and --live: what becomes of a value of another format than a pattern asks for ' +
          '(default pass, or what the mapping’s tag says)'
      ).choices(mismatches)
    )
    .addOption(
      new Option('--encoding <how>', 'with --record: how its key and value are written (default auto)').choices(
        encodings
      )
    )
    .option('--config <file>', 'with --live: where clusters and secrets are found, instead of millrace.yaml')
  finish(
    command,
    'form of the answer on stdout (default text; with --live table on a terminal, json elsewhere)',
    `
Answers yes or no; for a no, the first condition of each pattern that failed, what it wanted and what was there. Exit code 0 for
yes, 1 for no, 2 for a pattern that cannot be used, with its place and the reason. docs/reference/filter-patterns.md has the
language.

A record is JSON as the function's event shows it, key and value in base64; or written by hand, the value as JSON or text. With
--encoding auto a text is base64 when it can only be meant so.

A case is a line {"name", "pattern" or "patternText", "event" or "eventText", "match": true or false}, or {"name", "pattern",
"invalid": true}. The two ways to match that there are must agree on each. Lines that disagree and a count go to stdout; exit
code 1 when there were any.

--live joins no group and commits nothing. Without --pattern it takes the mapping's own filters.

Examples:
  millrace filter test --pattern '{"status":["paid"]}' --value '{"status":"open"}'
  millrace filter test --pattern @pattern.json --pattern '{"total":[{"numeric":[">",100]}]}' --value @order.json
  millrace filter test --pattern '{"value":{"status":["paid"]}}' --record '{"topic":"orders","value":{"status":"paid"}}'
  millrace filter test --cases cases.jsonl
  millrace filter test --live ${aUuid} --last 1000
  millrace filter test --live orders --bootstrap 127.0.0.1:9092 --pattern '{"value":{"status":["paid"]}}'`
  ).action((flags: TestFlags) => run({ output: flags.output, action: testAction(command, flags) }))
}

const modes = ['value', 'record', 'cases', 'live'] as const
type Mode = (typeof modes)[number]

/** Flags that make sense in some modes only. */
const belongs: Readonly<Record<string, readonly Mode[]>> = {
  pattern: ['value', 'record', 'live'],
  last: ['live'],
  bootstrap: ['live'],
  eventSourceArn: ['live'],
  sourceAccess: ['live'],
  config: ['live'],
  endpointUrl: ['live'],
  dataDir: ['live'],
  mismatch: ['record', 'live'],
  encoding: ['record']
}

function testAction(command: Command, flags: TestFlags): FilterAction {
  const chosen = modes.filter(mode => flags[mode] !== undefined)
  const [mode] = chosen
  if (mode === undefined || chosen.length > 1)
    return command.error(`error: exactly one of ${modes.map(each => `--${each}`).join(', ')} has to be there`)
  for (const [name, allowed] of Object.entries(belongs)) {
    if (Object.hasOwn(flags, name) && !allowed.includes(mode))
      command.error(`error: ${flagName(name)} does not go with --${mode}`)
  }
  const { pattern: patterns = [], value = '', record = '', cases = '', encoding = 'auto', mismatch, last = 100 } = flags
  if ((mode === 'value' || mode === 'record') && patterns.length === 0)
    command.error(`error: --${mode} needs a --pattern to be tried on`)
  switch (mode) {
    case 'value':
      return { kind: mode, patterns, value }
    case 'record':
      return { kind: mode, patterns, record, encoding, mismatch: mismatch ?? 'pass' }
    case 'cases':
      return { kind: mode, cases }
    case 'live':
      return {
        kind: mode,
        patterns,
        source: liveSource(command, flags),
        last,
        mismatch,
        configFile: flags.config,
        connection: connectionOf(flags)
      }
    default:
      throw new Error(`unknown mode ${mode satisfies never}`)
  }
}

function liveSource(command: Command, flags: TestFlags): LiveSource {
  const { live: name = '', bootstrap, eventSourceArn, sourceAccess = [], pattern = [] } = flags
  const cluster = bootstrap ?? eventSourceArn
  if (bootstrap !== undefined && eventSourceArn !== undefined)
    command.error('error: --bootstrap and --event-source-arn both say where the topic is: one of them will do')
  if (cluster === undefined) {
    if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(name)) {
      if (sourceAccess.length > 0) command.error('error: --source-access goes with a topic: a mapping has its own')
      return { kind: 'mapping', uuid: name }
    }
    command.error(
      `error: ${name} is no UUID of a mapping: of a topic --bootstrap or --event-source-arn has to say where it is`
    )
  }
  if (pattern.length === 0) command.error('error: --live with a topic needs a --pattern to be tried on')
  return { kind: 'topic', topic: name, cluster, sourceAccess }
}

function addExplain(filter: Command, run: Run): void {
  finish(
    filter
      .command('explain')
      .description('Show which conditions of a mapping’s filters refuse records, as the server counts it.')
      .argument('<UUID>', 'of the mapping, as "millrace mappings list" shows it', given),
    'form of the data on stdout (default table on a terminal, json elsewhere)',
    `
The mapping has to have the tag millrace:filter-explain=on. Then of a hundred refused records one is looked at: the first
condition of each filter that failed is counted, since the server began or the filters were changed.

Examples:
  millrace filter explain ${aUuid}
  millrace filter explain ${aUuid} --output json`
  ).action((uuid: string, flags: Connection & { readonly output?: Format }) =>
    run({ output: flags.output, action: { kind: 'explain', uuid, connection: connectionOf(flags) } })
  )
}

// ---- what both of them have

const finish = (command: Command, output: string, below: string): Command =>
  command
    .option('--endpoint-url <URL>', 'where the API is (default http://127.0.0.1:4577; MILLRACE_ENDPOINT)', given)
    .option(
      '--data-dir <DIR>',
      'sign with the key that the server keeps there (default .millrace; MILLRACE_DATA_DIR)',
      given
    )
    .addOption(new Option('--output <format>', output).choices(formats))
    .addHelpText('after', below)

const connectionOf = ({ endpointUrl, dataDir }: Connection): Connection => ({
  ...(endpointUrl === undefined ? {} : { endpointUrl }),
  ...(dataDir === undefined ? {} : { dataDir })
})

const flagName = (name: string): string => `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

function given(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It must not be empty.')
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, given(text)]

const servers = (text: string): readonly string[] => text.split(',').map(part => given(part.trim()))

function collectAccess(
  text: string,
  before: readonly { readonly Type: string; readonly URI: string }[] = []
): readonly { readonly Type: string; readonly URI: string }[] {
  const [, Type, URI] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (Type !== undefined && URI !== undefined) return [...before, { Type, URI }]
  throw new InvalidArgumentError('It must be TYPE=URI such as SASL_SCRAM_512_AUTH=arn:aws:secretsmanager:….')
}
