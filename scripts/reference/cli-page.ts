import type { Command } from 'commander'
import { createProgram, type Actions } from '../../src/app/cli/program.ts'
import { nullIo } from './null-io.ts'
import { generated } from './markdown.ts'

const nothing: Actions = {
  serve: never,
  demo: never,
  dev: never,
  send: never,
  tail: never,
  broker: never,
  mappings: never,
  filter: never,
  policy: never,
  doctor: never
}

async function never(): Promise<number> {
  throw new Error('the reference runs no command')
}

/** `docs/reference/cli.md`: the help of every command, as it is printed. */
export function cliPage(): string {
  const program = createProgram(nullIo, nothing, () => undefined)
  return [
    generated('the help texts in src/app/cli'),
    '# The command line',
    'What `--help` prints, for all commands. In a checkout, `npm run -s millrace -- COMMAND`.',
    ...sections(program, [])
  ].join('\n\n')
}

function sections(command: Command, path: readonly string[]): string[] {
  const name = [...path, command.name()]
  return [
    `## ${name.join(' ')}`,
    // What stands below the options is added by an event, which only printing brings about.
    `\`\`\`text\n${printed(command).trim()}\n\`\`\``,
    ...command.commands.filter(sub => sub.name() !== 'help').flatMap(sub => sections(sub, name))
  ]
}

function printed(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: more => (text += more),
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false
  })
  command.outputHelp()
  return text
}
