import type { CreateEventSourceMappingCommandInput, UpdateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { mappingFields, type Field, type FieldName } from '../../core/mapping/fields.ts'
import { formats, type Connection, type Format, type MappingsAction, type MappingsFlags } from '../mappings/flags.ts'

type Run = (flags: MappingsFlags) => Promise<void>

interface CommonFlags extends Connection {
  readonly output?: Format
}

export function addMappings(program: Command, run: Run): void {
  const mappings = program
    .command('mappings')
    .description('Look at event source mappings and change them, over the AWS Lambda API of a server.')
    .addHelpText(
      'after',
      `
The API is that of --endpoint-url, MILLRACE_ENDPOINT, AWS_ENDPOINT_URL_LAMBDA or AWS_ENDPOINT_URL, else of a server on this
machine. Requests are signed with the key of --data-dir, MILLRACE_ACCESS_KEY_ID, AWS_ACCESS_KEY_ID, AWS_PROFILE, the data
directory (.millrace or MILLRACE_DATA_DIR) or AWS's own files: the first that is there. Output is a table on a terminal and
JSON elsewhere; text has a line for each mapping, its fields separated by tabs.

Examples:
  millrace mappings list
  millrace mappings create --function-name orders --topic orders --bootstrap-servers 127.0.0.1:9092
  millrace mappings watch`
    )
  addList(mappings, run)
  addGet(mappings, run)
  addCreate(mappings, run)
  addUpdate(mappings, run)
  addDelete(mappings, run)
  addHistory(mappings, run)
  addWatch(mappings, run)
  for (const command of mappings.commands) {
    command.showHelpAfterError(`Run "millrace mappings ${command.name()} --help" for its flags and examples.`)
  }
}

const aUuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'

function addList(mappings: Command, run: Run): void {
  finish(
    mappings
      .command('list')
      .description('List mappings.')
      .option('--function-name <NAME>', 'only those of this function', text)
      .option('--event-source-arn <ARN>', 'only those of this MSK cluster', text),
    `
Examples:
  millrace mappings list
  millrace mappings list --function-name orders
  millrace mappings list --output text`
  ).action(
    ({ functionName, eventSourceArn, ...common }: CommonFlags & { functionName?: string; eventSourceArn?: string }) =>
      run(
        flagsOf(common, {
          kind: 'list',
          filter: {
            ...(functionName === undefined ? {} : { FunctionName: functionName }),
            ...(eventSourceArn === undefined ? {} : { EventSourceArn: eventSourceArn })
          }
        })
      )
  )
}

function addGet(mappings: Command, run: Run): void {
  finish(
    withUuid(mappings.command('get').description('Show a mapping.')),
    `
Examples:
  millrace mappings get ${aUuid}
  millrace mappings get ${aUuid} --output json`
  ).action((uuid: string, common: CommonFlags) => run(flagsOf(common, { kind: 'get', uuid })))
}

interface CreateFlags extends CommonFlags, ChangeFlags {
  readonly functionName: string
  readonly topic: string
  readonly bootstrapServers?: string[]
  readonly eventSourceArn?: string
  readonly startingPosition?: NonNullable<CreateEventSourceMappingCommandInput['StartingPosition']>
  readonly startingPositionTimestamp?: Date
  readonly consumerGroupId?: string
  readonly disabled?: true
  readonly tag?: Readonly<Record<string, string>>
  readonly wait?: true
}

function addCreate(mappings: Command, run: Run): void {
  const command = mappings
    .command('create')
    .description('Make a mapping.')
    .requiredOption('--function-name <NAME>', docOf('FunctionName'), text)
    .requiredOption('--topic <NAME>', docOf('Topics'), text)
    .option('--bootstrap-servers <HOST:PORT,...>', docOf('SelfManagedEventSource'), commaList)
    .addOption(
      new Option('--event-source-arn <ARN>', `${docOf('EventSourceArn')}; instead of --bootstrap-servers`)
        .argParser(text)
        .conflicts('bootstrapServers')
    )
    .addOption(
      new Option('--starting-position <POSITION>', docOf('StartingPosition')).choices([
        'TRIM_HORIZON',
        'LATEST',
        'AT_TIMESTAMP'
      ])
    )
    .option(
      '--starting-position-timestamp <TIME>',
      `${docOf('StartingPositionTimestamp')}: ISO 8601 or epoch seconds`,
      time
    )
  addChangeOptions(command, docOf)
    .option('--consumer-group-id <ID>', 'consumer group; its UUID when left out', text)
    .option('--disabled', 'make it without reading anything')
    .option('--tag <KEY=VALUE>', 'a tag of the mapping; may be repeated', collectTag)
  finish(
    addWait(command, 'wait until it is Enabled or Disabled'),
    `
Examples:
  millrace mappings create --function-name orders --topic orders --bootstrap-servers 127.0.0.1:9092 --wait
  millrace mappings create --function-name orders --topic orders --bootstrap-servers a:9092,b:9092 --disabled --tag team=shop
  millrace mappings create --function-name orders --topic orders --starting-position LATEST --event-source-arn arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1`
  ).action(({ wait, ...flags }: CreateFlags) => {
    if (flags.bootstrapServers === undefined && flags.eventSourceArn === undefined) {
      command.error("error: one of the options '--bootstrap-servers' and '--event-source-arn' has to be there")
    }
    return run(flagsOf(flags, { kind: 'create', input: createInput(flags), wait: wait === true }))
  })
}

function createInput(flags: CreateFlags): CreateEventSourceMappingCommandInput {
  const { functionName, topic, bootstrapServers, eventSourceArn, consumerGroupId, tag } = flags
  const group = consumerGroupId === undefined ? undefined : { ConsumerGroupId: consumerGroupId }
  return {
    FunctionName: functionName,
    Topics: [topic],
    ...(eventSourceArn === undefined
      ? {
          SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: bootstrapServers ?? [] } },
          ...(group === undefined ? {} : { SelfManagedKafkaEventSourceConfig: group })
        }
      : {
          EventSourceArn: eventSourceArn,
          ...(group === undefined ? {} : { AmazonManagedKafkaEventSourceConfig: group })
        }),
    ...(flags.startingPosition === undefined ? {} : { StartingPosition: flags.startingPosition }),
    ...(flags.startingPositionTimestamp === undefined
      ? {}
      : { StartingPositionTimestamp: flags.startingPositionTimestamp }),
    ...changeInput(flags),
    ...(flags.disabled === true ? { Enabled: false } : {}),
    ...(tag === undefined ? {} : { Tags: { ...tag } })
  }
}

interface UpdateFlags extends CommonFlags, ChangeFlags {
  readonly functionName?: string
  readonly enable?: true
  readonly disable?: true
  readonly wait?: true
}

function addUpdate(mappings: Command, run: Run): void {
  const command = withUuid(mappings.command('update').description('Change a mapping; what is left out stays.')).option(
    '--function-name <NAME>',
    'the function that takes the events from now on',
    text
  )
  addChangeOptions(command, sentenceOf)
    .option('--enable', 'go on reading where it stopped')
    .addOption(new Option('--disable', 'finish what is in flight, then read nothing').conflicts('enable'))
  finish(
    addWait(command, 'wait until it is Enabled or Disabled'),
    `
Examples:
  millrace mappings update ${aUuid} --batch-size 500 --maximum-batching-window-in-seconds 2
  millrace mappings update ${aUuid} --disable --wait
  millrace mappings update ${aUuid} --enable`
  ).action((uuid: string, { wait, ...flags }: UpdateFlags) => {
    const changes: Omit<UpdateEventSourceMappingCommandInput, 'UUID'> = {
      ...(flags.functionName === undefined ? {} : { FunctionName: flags.functionName }),
      ...changeInput(flags),
      ...(flags.enable === true ? { Enabled: true } : flags.disable === true ? { Enabled: false } : {})
    }
    if (Object.keys(changes).length === 0) command.error('error: no option says what to change')
    return run(flagsOf(flags, { kind: 'update', input: { UUID: uuid, ...changes }, wait: wait === true }))
  })
}

function addDelete(mappings: Command, run: Run): void {
  finish(
    addWait(
      withUuid(
        mappings
          .command('delete')
          .description('Delete a mapping. Its consumer group and the committed offsets stay in Kafka.')
      ),
      'wait until it has gone'
    ),
    `
Examples:
  millrace mappings delete ${aUuid}
  millrace mappings delete ${aUuid} --wait`
  ).action((uuid: string, { wait, ...common }: CommonFlags & { wait?: true }) =>
    run(flagsOf(common, { kind: 'delete', uuid, wait: wait === true }))
  )
}

function addHistory(mappings: Command, run: Run): void {
  finish(
    withUuid(mappings.command('history').description('Show who changed a mapping when, what from and what to.')),
    `
Examples:
  millrace mappings history ${aUuid}
  millrace mappings history ${aUuid} --output json`
  ).action((uuid: string, common: CommonFlags) => run(flagsOf(common, { kind: 'history', uuid })))
}

function addWatch(mappings: Command, run: Run): void {
  finish(
    mappings
      .command('watch')
      .description('Follow state and last result of one mapping, or of all, until Ctrl-C.')
      .argument('[UUID]', 'the mapping to follow', text),
    `
Asks once a second. A table that redraws itself on a terminal; elsewhere, or with --output text or json, a line for each
change. Ends by itself when the mapping it follows has gone.

Examples:
  millrace mappings watch
  millrace mappings watch ${aUuid}
  millrace mappings watch --output json`
  ).action((uuid: string | undefined, common: CommonFlags) =>
    run(flagsOf(common, { kind: 'watch', ...(uuid === undefined ? {} : { uuid }) }))
  )
}

// ---- what several of them have

interface ChangeFlags {
  readonly batchSize?: number
  readonly maximumBatchingWindowInSeconds?: number
  readonly parallelizationFactor?: number
}

/** `doc` tells of the default where leaving a flag out means it. */
const addChangeOptions = (command: Command, doc: (field: FieldName) => string): Command =>
  command
    .option('--batch-size <N>', doc('BatchSize'), integer)
    .option('--maximum-batching-window-in-seconds <N>', doc('MaximumBatchingWindowInSeconds'), integer)
    .option('--parallelization-factor <N>', doc('ParallelizationFactor'), integer)

function changeInput({ batchSize, maximumBatchingWindowInSeconds, parallelizationFactor }: ChangeFlags) {
  return {
    ...(batchSize === undefined ? {} : { BatchSize: batchSize }),
    ...(maximumBatchingWindowInSeconds === undefined
      ? {}
      : { MaximumBatchingWindowInSeconds: maximumBatchingWindowInSeconds }),
    ...(parallelizationFactor === undefined ? {} : { ParallelizationFactor: parallelizationFactor })
  }
}

const withUuid = (command: Command): Command => command.argument('<UUID>', 'of the mapping, as list shows it', text)

const addWait = (command: Command, doc: string): Command => command.option('--wait', `${doc}, at most a minute`)

/** The flags of every one of them, and what stands below. */
const finish = (command: Command, below: string): Command =>
  command
    .option('--endpoint-url <URL>', 'where the API is (default http://127.0.0.1:4577; MILLRACE_ENDPOINT)', text)
    .option(
      '--data-dir <DIR>',
      'sign with the key that the server keeps there (default .millrace; MILLRACE_DATA_DIR)',
      text
    )
    .addOption(
      new Option(
        '--output <format>',
        'form of the data on stdout (default table on a terminal, json elsewhere)'
      ).choices(formats)
    )
    .addHelpText('after', below)

function flagsOf({ endpointUrl, dataDir, output }: CommonFlags, action: MappingsAction): MappingsFlags {
  return {
    connection: {
      ...(endpointUrl === undefined ? {} : { endpointUrl }),
      ...(dataDir === undefined ? {} : { dataDir })
    },
    output,
    action
  }
}

/** The table's own sentence, as help texts are written. */
function sentenceOf(field: FieldName): string {
  // Abbreviations such as MSK stay.
  return mappingFields[field].doc.replace(/^[A-Z](?=[a-z ])/, letter => letter.toLowerCase()).replace(/\.$/, '')
}

/** And what holds without the flag. */
function docOf(field: FieldName): string {
  const { default: otherwise, defaultDoc }: Field = mappingFields[field]
  const told = otherwise ?? defaultDoc
  return told === undefined ? sentenceOf(field) : `${sentenceOf(field)} (default ${told})`
}

function text(given: string): string {
  if (given !== '') return given
  throw new InvalidArgumentError('It must not be empty.')
}

/** Limits are the server's, which tells them in AWS's words. */
function integer(given: string): number {
  if (/^-?\d{1,9}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('It must be a whole number.')
}

const commaList = (given: string): string[] => given.split(',').map(part => text(part.trim()))

function time(given: string): Date {
  const at = new Date(/^\d+(\.\d+)?$/.test(given) ? Number(given) * 1000 : given)
  if (!Number.isNaN(at.getTime())) return at
  throw new InvalidArgumentError('It must be a time such as 2026-01-31T12:00:00Z, or epoch seconds.')
}

function collectTag(given: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, key, value] = /^([^=]+)=([^]*)$/.exec(given) ?? []
  if (key === undefined || value === undefined) throw new InvalidArgumentError('It must be KEY=VALUE.')
  if (Object.hasOwn(before, key)) throw new InvalidArgumentError(`${key} is given twice.`)
  return { ...before, [key]: value }
}
