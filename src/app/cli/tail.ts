import { InvalidArgumentError, type Command } from 'commander'
import type { BrokerChoice } from '../dev/find-broker.ts'
import { addBrokerOptions, topicName } from './broker-flags.ts'
import { outputOption, type Output } from './flags.ts'

export interface TailFlags extends BrokerChoice {
  readonly topic: string
  readonly from: 'earliest' | 'latest' | { readonly last: number }
  readonly follow: boolean
  readonly output: Output
}

const defaultLast = 10

export function addTail(program: Command, run: (flags: TailFlags) => Promise<void>): void {
  addBrokerOptions(
    program
      .command('tail')
      .description(
        'Print the records of a topic, and those that come, until Ctrl-C. Joins no group and commits nothing.'
      )
      .argument('<TOPIC>', 'to look into', topicName)
      .option(
        '--from <WHERE>',
        `earliest, latest, or the newest N records of all partitions (default ${defaultLast})`,
        readFrom,
        { last: defaultLast } as const
      )
      .option('--no-follow', 'end where the topic ends now')
  )
    .addOption(outputOption('json: lines that "millrace send --file" reads again to the same bytes'))
    .addHelpText(
      'after',
      `
In text a value that is no UTF-8 is shown as base64:…, and a tombstone as null.

Examples:
  millrace tail orders
  millrace tail orders --from earliest --no-follow --output json
  millrace tail orders --from 100 --bootstrap 127.0.0.1:9092`
    )
    .action((topic: string, flags: Omit<TailFlags, 'topic'>) => run({ ...flags, topic }))
}

function readFrom(text: string): TailFlags['from'] {
  if (text === 'earliest' || text === 'latest') return text
  const [, count] = /^(\d{1,7})(?: last)?$/.exec(text) ?? []
  if (count !== undefined) return { last: Number(count) }
  throw new InvalidArgumentError('It must be earliest, latest or a number of records such as 10.')
}
