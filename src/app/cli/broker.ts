import { InvalidArgumentError, type Command } from 'commander'
import type { Address } from '../config.ts'
import { parseAddress } from '../config/value.ts'
import { outputOption, wholeNumber, type Output } from './flags.ts'

export interface BrokerFlags {
  readonly listen: Address
  readonly topics: readonly TopicFlag[]
  readonly maxMib: number
  readonly output: Output
}

export interface TopicFlag {
  readonly name: string
  readonly partitions: number
}

export function addBroker(program: Command, run: (flags: BrokerFlags) => Promise<void>): void {
  program
    .command('broker')
    .description('Run the embedded Kafka broker alone, for development and tests. It promises no durability.')
    .option('--listen <HOST:PORT>', 'where clients connect; port 0 takes a free one', readAddress, {
      host: '127.0.0.1',
      port: 9092
    })
    .option('--topic <name:partitions>', 'make this topic at start; may be repeated', collectTopic, [])
    .option('--max-mib <N>', 'records kept in memory, in MiB; the oldest go first', wholeNumber(1, 65_536), 256)
    .addOption(outputOption('form of the line on stdout that says where it listens'))
    .addHelpText(
      'after',
      `
Everything is kept in memory and is gone when the broker ends: no durability is promised. Topics that a client names are
made when they are missing. SIGINT or SIGTERM ends it.

Examples:
  millrace broker
  millrace broker --topic orders:4 --topic payments:1
  millrace broker --listen 127.0.0.1:0 --max-mib 64 --output json`
    )
    .action(({ topic, ...flags }: Omit<BrokerFlags, 'topics'> & { topic: TopicFlag[] }) =>
      run({ ...flags, topics: topic })
    )
}

export function readAddress(text: string): Address {
  const address = parseAddress(text)
  if (address) return address
  throw new InvalidArgumentError('It must be HOST:PORT such as 127.0.0.1:9092.')
}

// Kafka's own rule for names of topics.
const topicName = /^(?!\.{1,2}$)[\w.-]{1,249}$/

export function collectTopic(text: string, before: readonly TopicFlag[]): readonly TopicFlag[] {
  const [, name = '', partitions = '1'] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  const count = Number(partitions)
  if (!topicName.test(name) || count < 1 || count > 10_000) {
    throw new InvalidArgumentError('It must be NAME:PARTITIONS such as orders:4 (letters, digits, ".", "_" and "-").')
  }
  if (before.some(topic => topic.name === name)) throw new InvalidArgumentError(`${name} is named twice.`)
  return [...before, { name, partitions: count }]
}
