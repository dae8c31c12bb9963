import { InvalidArgumentError, Option, type Command } from 'commander'
import { options, type OptionKey } from '../config/options.ts'
import type { Address } from '../config.ts'
import { collectTopic, readAddress } from './broker.ts'
import { bootstrapServers } from './broker-flags.ts'
import { outputOption, wholeNumber, type Output } from './flags.ts'

type Texts = Readonly<Record<string, string>>

/** Without `partitions` it gets as many as topics that nobody names. */
export interface DevTopic {
  readonly name: string
  readonly partitions?: number
}

export interface DevFlags {
  readonly template?: string
  /** `FILE.EXPORT`, or a file. */
  readonly handler?: string
  readonly topics: readonly DevTopic[]
  /** Of topics that do not say how many. */
  readonly partitions: number
  /** Absent: the embedded broker. */
  readonly bootstrap?: readonly string[]
  /** Of the embedded broker; absent: any free port. */
  readonly brokerListen?: Address
  readonly parameters: Texts
  readonly resources: Texts
  readonly imports: Texts
  readonly envVars?: string
  readonly seed?: string
  readonly once: boolean
  /** Of `once`. */
  readonly timeoutSeconds: number
  readonly reload: boolean
  readonly inspect?: number
  readonly configFile?: string
  /** Of the configuration, not checked yet. */
  readonly options: Readonly<Partial<Record<OptionKey, string>>>
  readonly printConfig: boolean
  readonly output: Output
}

const flagged = ['listen', 'adminListen', 'dataDir', 'logLevel', 'graceSeconds'] as const satisfies readonly OptionKey[]
const debuggerPort = 9229
/** They give a template what it lacks. */
const templateFlags = ['--parameter', '--resource', '--import', '--env-vars'] as const

export function addDev(program: Command, run: (flags: DevFlags) => Promise<void>): void {
  const command = program
    .command('dev')
    .description('Run functions and mappings on this machine, with a Kafka broker of their own and a live log.')
    .argument(
      '[TEMPLATE]',
      'a SAM or CloudFormation template, cdk.out, or serverless.yml; without it the mappings of millrace.yaml, or the template in this folder'
    )
    .option('--handler <FILE.EXPORT>', 'run this handler instead, for the topics of --topic')
    .option('--topic <name:partitions>', 'make this topic at start; may be repeated', collectDevTopic)
    .option('--partitions <N>', 'of topics that do not say how many', wholeNumber(1, 10_000), 3)
    .option(
      '--bootstrap <HOST:PORT>',
      'brokers to use instead of the embedded one; several with commas',
      bootstrapServers
    )
    .addOption(
      new Option('--broker-listen <HOST:PORT>', 'where the embedded broker listens (default any free port)')
        .argParser(readAddress)
        .conflicts('bootstrap')
    )
    .option('--parameter <NAME=VALUE>', 'of the template; may be repeated', collectText)
    .option('--resource <NAME=VALUE>', 'the value of a resource that AWS alone knows; may be repeated', collectText)
    .option('--import <NAME=VALUE>', 'the value of an Fn::ImportValue; may be repeated', collectText)
    .option('--env-vars <FILE>', 'environment variables by function, as "sam local" has them')
    .option('--seed <FILE>', 'send the records of a file of JSON lines, each with its topic, once all is up')
    .option('--once', 'end when every record is settled: exit 1 if one was given up')
    .option('--timeout <SECONDS>', 'with --once: give up after so long', wholeNumber(1, 86_400), 60)
    .option('--no-reload', 'leave functions as they are when their files change')
    .option(
      '--inspect [PORT]',
      `let a debugger attach to Node functions, the first at this port (default ${debuggerPort})`,
      wholeNumber(0, 65_535)
    )
    .option('--config <FILE>', 'read this file instead of millrace.yaml (MILLRACE_CONFIG)')
  for (const key of flagged) {
    const { flag, doc, default: otherwise } = options[key]
    const sentence = `${doc.charAt(0).toLowerCase()}${doc.slice(1).replace(/\.$/, '')}`
    const told = key === 'logLevel' ? 'nothing, as the live log tells what happens' : `${otherwise}`
    command.addOption(new Option(`${flag.name} <${flag.value}>`, `${sentence} (default ${told})`))
  }
  command
    .option('--print-config', 'print functions and mappings that would run, as JSON, and end')
    .addOption(outputOption('form of the live log'))
    .addHelpText(
      'after',
      `
Everything of the embedded broker is gone when it ends. MSK clusters and brokers of the template are that broker here, or those
of --bootstrap; queues, topics and buckets for failures are files where nothing answers for AWS; a line says so for each.
The API on --listen takes any credentials, from this machine alone. Ctrl-C finishes what is in flight and ends everything.

Exit code of --once: 0 every record was settled; 1 a record was given up (dropped, or sent to its destination) or the time was
over; 130 interrupted. A call that failed and went well when it was tried again is no failure.

Examples:
  millrace dev
  millrace dev template.yaml --parameter Stage=test
  millrace dev --handler ./orders.handler --topic orders:4
  millrace dev template.yaml --seed records.jsonl --once --timeout 30
  millrace dev serverless.yml --bootstrap 127.0.0.1:9092 --inspect
  millrace dev cdk.out --print-config`
    )
    .action((template: string | undefined, given: Given) => {
      refuseIdle(command, given)
      const written = flagged.flatMap(key => {
        const value = given[attributeOf(options[key].flag.name)]
        return typeof value === 'string' ? [[key, value] as const] : []
      })
      return run({
        ...(template === undefined ? {} : { template }),
        ...pick(given, 'handler', 'bootstrap', 'brokerListen', 'envVars', 'seed'),
        topics: given.topic ?? [],
        partitions: given.partitions,
        parameters: given.parameter ?? {},
        resources: given.resource ?? {},
        imports: given.import ?? {},
        once: given.once === true,
        timeoutSeconds: given.timeout,
        reload: given.reload,
        ...(given.inspect === undefined ? {} : { inspect: given.inspect === true ? debuggerPort : given.inspect }),
        ...(given.config === undefined ? {} : { configFile: given.config }),
        options: Object.fromEntries(written),
        printConfig: given.printConfig === true,
        output: given.output
      })
    })
}

/** Flags that would mean nothing beside the others. */
function refuseIdle(command: Command, { once, handler }: Given): void {
  const isGiven = (flag: string) => command.getOptionValueSource(attributeOf(flag)) === 'cli'
  if (isGiven('--timeout') && once !== true)
    command.error('error: --timeout goes with --once: what is ended by hand has no limit')
  const ofTemplate = handler === undefined ? undefined : templateFlags.find(isGiven)
  if (ofTemplate !== undefined) command.error(`error: ${ofTemplate} goes with a template, not with --handler`)
}

interface Given extends Pick<
  DevFlags,
  'handler' | 'bootstrap' | 'brokerListen' | 'envVars' | 'seed' | 'partitions' | 'reload' | 'output'
> {
  readonly topic?: readonly DevTopic[]
  readonly parameter?: Texts
  readonly resource?: Texts
  readonly import?: Texts
  readonly once?: true
  readonly timeout: number
  readonly inspect?: number | true
  readonly config?: string
  readonly printConfig?: true
  readonly [attribute: string]: unknown
}

const attributeOf = (flag: string): string => new Option(flag).attributeName()

function pick<T extends object, K extends keyof T>(from: T, ...keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.flatMap(key => (from[key] === undefined ? [] : [[key, from[key]]]))) as Pick<T, K>
}

function collectDevTopic(text: string, before: readonly DevTopic[] = []): readonly DevTopic[] {
  const [topic] = collectTopic(text, [])
  if (before.some(({ name }) => name === topic!.name)) throw new InvalidArgumentError(`${topic!.name} is named twice.`)
  return [...before, text.includes(':') ? topic! : { name: topic!.name }]
}

function collectText(text: string, before: Texts = {}): Texts {
  const at = text.indexOf('=')
  const name = text.slice(0, at)
  if (at <= 0) throw new InvalidArgumentError('It must be NAME=VALUE such as Stage=test.')
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`)
  return { ...before, [name]: text.slice(at + 1) }
}
