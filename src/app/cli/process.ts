import process from 'node:process'
import { exitCodes } from '../exit-codes.ts'
import { listenForSignals } from '../signals.ts'
import { runCli } from './program.ts'

/** How long something that was forgotten may keep a finished command from ending. */
const lingerMs = 2_000

/** Runs the command line of this process and sets its exit code. */
export async function runProcess(): Promise<void> {
  // A reader that has gone (`millrace --help | head -1`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  tellCrashesOnly()
  using signals = listenForSignals(process, code => process.exit(code))
  const terminal = process.stdout.isTTY
  process.exitCode = await runCli(process.argv.slice(2), {
    // Looked at only by who reads it: looking opens it.
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    stop: signals.stop,
    columns: terminal ? process.stdout.columns : undefined,
    colour: terminal && !process.env['NO_COLOR']
  })
  setTimeout(() => process.exit(), lingerMs).unref()
}

/**
 * What breaks ends the process with its stack and nothing else: Node would print all that an error carries, and the errors of many
 * libraries carry requests with the keys that they were signed with. Reports, for those who turn them on, are made without environment.
 */
function tellCrashesOnly(): void {
  process.report.excludeEnv = true
  process.on('uncaughtException', (error: unknown) => {
    const what = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : typeof error
    process.stderr.write(`millrace: broke: ${what}\n`)
    if (process.report.reportOnUncaughtException) process.report.writeReport()
    process.exit(exitCodes.failure)
  })
}
