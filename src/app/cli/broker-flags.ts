import { InvalidArgumentError, type Command } from 'commander'
import { addressText, parseAddress } from '../config/value.ts'

/** `--bootstrap` and `--data-dir` of the commands that go to a broker. */
export const addBrokerOptions = (command: Command): Command =>
  command
    .option(
      '--bootstrap <HOST:PORT>',
      'these brokers instead of those of the "millrace dev" that runs here; several with commas',
      bootstrapServers
    )
    .option('--data-dir <DIR>', 'of the "millrace dev" to use (default .millrace; MILLRACE_DATA_DIR)')

export function bootstrapServers(text: string): readonly string[] {
  return text.split(',').map(part => {
    const address = parseAddress(part.trim())
    if (address === undefined || address.port === 0)
      throw new InvalidArgumentError('It must be HOST:PORT such as 127.0.0.1:9092, several with commas.')
    return addressText(address)
  })
}

// Kafka's own rule for names of topics.
const form = /^(?!\.{1,2}$)[\w.-]{1,249}$/

export function topicName(text: string): string {
  if (form.test(text)) return text
  throw new InvalidArgumentError('It must be the name of a topic: 1 to 249 letters, digits, ".", "_" and "-".')
}
