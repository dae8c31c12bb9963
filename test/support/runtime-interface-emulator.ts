import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { Reaper } from './kafka/reaper.ts'
import { eventually } from './poll.ts'

const name = 'aws-lambda-rie'

/** AWS's Runtime Interface Emulator: what MILLRACE_TEST_RIE names, or the one on the PATH. */
export function emulatorProgram(): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map(folder => join(folder, name))
  return [process.env['MILLRACE_TEST_RIE'], ...onPath].find(file => file !== undefined && isProgram(file))
}

/** Why no function can run under it here; undefined when one can. */
export function withoutEmulator(): string | undefined {
  if (emulatorProgram() !== undefined) return undefined
  return `no Runtime Interface Emulator here: 'pip install --no-deps aws-sam-cli' would bring it, in samcli/local/rapid`
}

/** A shell's command line that runs the emulator, with all that it starts. Ends with the test process, however that ends. */
export class EmulatorProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #reaper: Reaper
  readonly #mark: string

  private constructor(child: ChildProcess, reaper: Reaper, mark: string) {
    this.#child = child
    this.#reaper = reaper
    this.#mark = mark
  }

  /** Resolves when it listens on `port`. `folder`: an own one, which goes with it. */
  static async start(
    line: string,
    { folder, port, env }: { folder: string; port: number; env: NodeJS.ProcessEnv }
  ): Promise<EmulatorProcess> {
    const mark = `MILLRACE_TEST_EMULATOR=${folder}`
    const child = spawn('sh', ['-c', `exec ${line}`], {
      cwd: folder,
      env: { ...env, MILLRACE_TEST_EMULATOR: folder },
      stdio: ['ignore', 'ignore', 'ignore']
    })
    const emulator = new EmulatorProcess(child, new Reaper(folder), mark)
    writeFileSync(join(folder, 'emulator.pid'), String(child.pid))
    try {
      await eventually(() => child.exitCode !== null || listens(port), { describe: () => `${line} listens on ${port}` })
      if (child.exitCode !== null) throw new Error(`${line} ended with ${child.exitCode}`)
    } catch (error) {
      await emulator[Symbol.asyncDispose]()
      throw error
    }
    return emulator
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    // Its function is a group of its own, which it does not take along.
    for (const pid of marked(this.#mark)) process.kill(pid, 'SIGKILL')
    await this.#reaper.reap()
  }
}

function marked(mark: string): number[] {
  return readdirSync('/proc').flatMap(entry => {
    if (!/^\d+$/.test(entry)) return []
    try {
      return readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0').includes(mark) ? [Number(entry)] : []
    } catch {
      return [] // it has gone, or is somebody else's
    }
  })
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
