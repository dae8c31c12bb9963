import { Command, CommanderError } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import type { DoctorFlags } from '../doctor/flags.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import type { FilterFlags } from '../filter/flags.ts'
import type { Io } from '../io.ts'
import { ApiRefusal } from '../mappings/api-refusal.ts'
import type { MappingsFlags } from '../mappings/flags.ts'
import type { PolicyFlags } from '../policy/flags.ts'
import { readVersion } from '../version.ts'
import { addBroker, type BrokerFlags } from './broker.ts'
import { addDemo, type DemoFlags } from './demo.ts'
import { addDev, type DevFlags } from './dev.ts'
import { addDoctor } from './doctor.ts'
import { addFilter } from './filter.ts'
import { addMappings } from './mappings.ts'
import { addPolicy } from './policy.ts'
import { addSend, type SendFlags } from './send.ts'
import { addServe, type ServeFlags } from './serve.ts'
import { addTail, type TailFlags } from './tail.ts'

/** What the commands do, once their flags are read. Each resolves with the exit code. */
export interface Actions {
  serve(flags: ServeFlags, io: Io): Promise<number>
  demo(flags: DemoFlags, io: Io): Promise<number>
  dev(flags: DevFlags, io: Io): Promise<number>
  send(flags: SendFlags, io: Io): Promise<number>
  tail(flags: TailFlags, io: Io): Promise<number>
  broker(flags: BrokerFlags, io: Io): Promise<number>
  mappings(flags: MappingsFlags, io: Io): Promise<number>
  filter(flags: FilterFlags, io: Io): Promise<number>
  policy(flags: PolicyFlags, io: Io): Promise<number>
  doctor(flags: DoctorFlags, io: Io): Promise<number>
}

// Imported when run: `millrace --version` need not wait for a Kafka client.
const builtIn: Actions = {
  serve: async (flags, io) => (await import('./run-serve.ts')).runServeCommand(flags, io),
  demo: async (flags, io) => (await import('../demo.ts')).runDemo(flags, io),
  dev: async (flags, io) => (await import('../dev.ts')).runDev(flags, io),
  send: async (flags, io) => (await import('../send.ts')).runSend(flags, io),
  tail: async (flags, io) => (await import('../tail.ts')).runTail(flags, io),
  broker: async (flags, io) => (await import('../broker.ts')).runBroker(flags, io),
  mappings: async (flags, io) => (await import('../mappings.ts')).runMappings(flags, io),
  filter: async (flags, io) => (await import('../filter.ts')).runFilter(flags, io),
  policy: async (flags, io) => (await import('../policy.ts')).runPolicy(flags, io),
  doctor: async (flags, io) => (await import('../doctor.ts')).runDoctor(flags, io)
}

/** Runs one command line (without `node` and the script) and resolves with its exit code; never rejects. */
export async function runCli(args: readonly string[], io: Io, actions: Actions = builtIn): Promise<number> {
  let code: number = exitCodes.ok
  const program = createProgram(io, actions, exited => {
    code = exited
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    // commander has said what is wrong by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.stderr.write(`millrace: ${explain(error)}\n`)
    return exitCodeOf(error)
  }
}

/** What the user can mend is one sentence with its code for docs/errors.md; anything else is a fault of ours and shows where. */
function explain(error: unknown): string {
  if (error instanceof MillraceError || error instanceof ApiRefusal) {
    return error.code === undefined ? error.message : `${error.message} (${error.code})`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** The command line; `exited` is told the exit code of the command that ran. */
export function createProgram(io: Io, actions: Actions, exited: (code: number) => void): Command {
  const program = new Command('millrace')
    .description('Event source mappings for Apache Kafka, self-hosted: speaks the AWS Lambda API.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(text),
      getOutHelpWidth: () => io.columns ?? 100,
      getErrHelpWidth: () => io.columns ?? 100,
      getOutHasColors: () => io.colour,
      getErrHasColors: () => io.colour
    })
    .addHelpText(
      'after',
      `
Examples:
  millrace demo                          see it work: broker, API, function and records in one process
  millrace dev template.yaml             run its functions here, fed from a Kafka of their own
  millrace serve                         serve the AWS Lambda API on 127.0.0.1:4577
  millrace broker --topic orders:4       a Kafka broker for development, in memory
  millrace mappings list                 the mappings of a server, and how they are
  millrace doctor --bootstrap 127.0.0.1:9092 --topic orders
  millrace filter test --pattern '{"status":["paid"]}' --value '{"status":"open"}'

Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 not found, 4 not allowed, 130 interrupted.`
    )
  addServe(program, async flags => exited(await actions.serve(flags, io)))
  addDemo(program, async flags => exited(await actions.demo(flags, io)))
  addDev(program, async flags => exited(await actions.dev(flags, io)))
  addSend(program, async flags => exited(await actions.send(flags, io)))
  addTail(program, async flags => exited(await actions.tail(flags, io)))
  addBroker(program, async flags => exited(await actions.broker(flags, io)))
  addMappings(program, async flags => exited(await actions.mappings(flags, io)))
  addFilter(program, async flags => exited(await actions.filter(flags, io)))
  addPolicy(program, async flags => exited(await actions.policy(flags, io)))
  addDoctor(program, async flags => exited(await actions.doctor(flags, io)))
  for (const command of program.commands) {
    command.showHelpAfterError(`Run "millrace ${command.name()} --help" for its flags and examples.`)
  }
  return program.showHelpAfterError('Run "millrace --help" for the commands.')
}
