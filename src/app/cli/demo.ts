import type { Command } from 'commander'
import { outputOption, wholeNumber, type Output } from './flags.ts'

export interface DemoFlags {
  readonly records: number
  readonly partitions: number
  readonly output: Output
}

export function addDemo(program: Command, run: (flags: DemoFlags) => Promise<void>): void {
  program
    .command('demo')
    .description(
      'Show it at work in one process: embedded broker, API, function, mapping, records, and a checked account.'
    )
    .option('--records <N>', 'records to send through', wholeNumber(100, 1_000_000), 20_000)
    .option('--partitions <N>', 'partitions of the topic', wholeNumber(1, 64), 6)
    .addOption(outputOption('form of the account on stdout'))
    .addHelpText(
      'after',
      `
Needs nothing, keeps nothing and ends by itself: exit 0 when every record arrived once and in order, 1 otherwise.

Examples:
  millrace demo
  millrace demo --records 5000 --partitions 3
  millrace demo --output json`
    )
    .action(run)
}
