import { InvalidArgumentError, type Command } from 'commander'
import type { BrokerChoice } from '../dev/find-broker.ts'
import { addBrokerOptions, topicName } from './broker-flags.ts'
import { outputOption, wholeNumber, type Output } from './flags.ts'

export interface SendFlags extends BrokerChoice {
  readonly topic: string
  /** Absent: from `file`, or stdin line by line. */
  readonly value?: string
  readonly file?: string
  readonly key?: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly partition?: number
  /** Records a second. */
  readonly rate?: number
  readonly output: Output
}

export function addSend(program: Command, run: (flags: SendFlags) => Promise<void>): void {
  addBrokerOptions(
    program
      .command('send')
      .description('Send records to a topic: of the "millrace dev" that runs here, or of any cluster.')
      .argument('<TOPIC>', 'where they go', topicName)
      .argument('[VALUE]', 'of the one record; without it each line of stdin is a record')
      .option('--file <FILE>', 'send the records of a file of JSON lines; -: of stdin')
      .option('--key <KEY>', 'of records that bring none')
      .option('--header <NAME=VALUE>', 'of records that bring none; may be repeated', collectHeader, [])
      .option('--partition <N>', 'of records that bring none', wholeNumber(0, 2_147_483_647))
      .option('--rate <N/s>', 'records a second at most', rate)
  )
    .addOption(outputOption('text: a count; json: a line with topic, partition and offset for each record'))
    .addHelpText(
      'after',
      `
A line of --file has "value" (a text, any other JSON, or null for a tombstone) or "valueBase64", and may have "key" or
"keyBase64", "headers" or "headersBase64", "partition" and "timestamp" (milliseconds since 1970, or ISO 8601). What
"millrace tail --output json" prints can be sent. A file is checked as a whole before anything is sent.

Examples:
  millrace send orders '{"order":1}'
  millrace send orders hello --key k1 --header source=shop --partition 0
  millrace send orders --file orders.jsonl --rate 50/s
  millrace send orders hello --bootstrap 127.0.0.1:9092 --output json`
    )
    .action(
      (
        topic: string,
        value: string | undefined,
        { header, ...flags }: Omit<SendFlags, 'topic' | 'value' | 'headers'> & { header: SendFlags['headers'] },
        command: Command
      ) => {
        if (value !== undefined && flags.file !== undefined)
          command.error(`error: a VALUE and --file ${flags.file} are given: use one of them`)
        return run({ ...flags, topic, headers: header, ...(value === undefined ? {} : { value }) })
      }
    )
}

function collectHeader(text: string, before: SendFlags['headers']): SendFlags['headers'] {
  const at = text.indexOf('=')
  if (at <= 0) throw new InvalidArgumentError('It must be NAME=VALUE such as source=shop.')
  return [...before, [text.slice(0, at), text.slice(at + 1)]]
}

function rate(text: string): number {
  const [, digits] = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text) ?? []
  const perSecond = Number(digits)
  if (perSecond > 0 && perSecond <= 10_000_000) return perSecond
  throw new InvalidArgumentError('It must be records a second, such as 50/s.')
}
