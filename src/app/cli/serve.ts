import { Option, type Command } from 'commander'
import { optionKeys, options, type Option as ConfigOption, type OptionKey } from '../config/options.ts'
import { outputOption, type Output } from './flags.ts'

export interface ServeFlags {
  /** The file that `--config` names. */
  readonly configFile: string | undefined
  /** What stands on the command line, by option of the configuration; not checked yet. */
  readonly options: Readonly<Partial<Record<OptionKey, string>>>
  readonly printConfig: boolean
  readonly output: Output
}

export function addServe(program: Command, run: (flags: ServeFlags) => Promise<void>): void {
  const command = program
    .command('serve')
    .description('Serve the AWS Lambda API and run its event source mappings until stopped.')
    .option('--config <file>', 'read this file instead of millrace.yaml (MILLRACE_CONFIG)')
  const flagged = optionKeys.flatMap(key => {
    const option = flagOf(options[key])
    return option ? [{ key, option }] : []
  })
  for (const { option } of flagged) command.addOption(option)
  command
    .option('--print-config', 'print what is in force and where each value came from, secrets masked, and end')
    .addOption(outputOption('form of --print-config'))
    .addHelpText(
      'after',
      `
Flags win over the environment, the environment over the file. SIGINT or SIGTERM: finish and commit what is in flight,
leave the consumer groups, exit 0; a second signal ends at once.

Examples:
  millrace serve
  millrace serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir ./state
  millrace serve --config ./millrace.yaml --log-level debug --grace 10
  millrace serve --print-config --output json`
    )
    .action(async (given: Readonly<Record<string, string | true | undefined>>) => {
      const text = (name: string) => (typeof given[name] === 'string' ? given[name] : undefined)
      const written = flagged.flatMap(({ key, option }) => {
        const value = text(option.attributeName())
        return value === undefined ? [] : [[key, value] as const]
      })
      await run({
        configFile: text('config'),
        options: Object.fromEntries(written),
        printConfig: given['printConfig'] === true,
        output: given['output'] === 'json' ? 'json' : 'text'
      })
    })
}

/** The configuration checks values itself, so that a flag is refused in the same words as a file. */
function flagOf({ flag, doc, default: otherwise, env }: ConfigOption): Option | undefined {
  if (flag === undefined) return undefined
  const sentence = `${doc.charAt(0).toLowerCase()}${doc.slice(1).replace(/\.$/, '')}`
  return new Option(`${flag.name} <${flag.value}>`, `${sentence} (default ${otherwise}; ${env.join(', ')})`)
}
