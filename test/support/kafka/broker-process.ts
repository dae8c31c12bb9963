import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const stopTimeoutMs = 30_000
const shownLines = 60

/**
 * One broker's process. Its output goes to `FOLDER/NAME.log` over all its lives, and its id to `FOLDER/NAME.pid` while it
 * runs, where the reaper finds it.
 *
 * stopped  no process              → running
 * running                          → paused, stopped
 * paused   SIGSTOP: ports are open and nobody answers → running, stopped
 */
export class BrokerProcess {
  readonly name: string
  readonly #java: string
  readonly #args: readonly string[]
  readonly #logFile: string
  readonly #pidFile: string
  #child: ChildProcess | undefined
  #paused = false

  constructor(name: string, folder: string, java: string, args: readonly string[]) {
    this.name = name
    this.#java = java
    this.#args = args
    this.#logFile = join(folder, `${name}.log`)
    this.#pidFile = join(folder, `${name}.pid`)
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Whether it can answer: running and not paused. */
  get answering(): boolean {
    return this.running && !this.#paused
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  launch(): void {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already (process ${this.#child.pid})`)
    const log = openSync(this.#logFile, 'a')
    const child = spawn(this.#java, this.#args, { stdio: ['ignore', log, log] })
    closeSync(log)
    child.once('exit', () => this.#ended(child))
    child.once('error', () => this.#ended(child))
    // A forgotten broker must not keep the test process from ending; the reaper kills it then.
    child.unref()
    if (child.pid !== undefined) writeFileSync(this.#pidFile, String(child.pid))
    this.#child = child
  }

  /** Asks it to end (SIGTERM) and waits; a broker that has not ended after 30 s is killed, and that is an error. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.resume()
    const ended = waitForExit(child)
    child.kill('SIGTERM')
    try {
      await ended
    } catch (cause) {
      await this.kill()
      throw new Error(`${this.name} did not end within ${stopTimeoutMs} ms of SIGTERM; killed`, { cause })
    }
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = waitForExit(child)
    child.kill('SIGKILL')
    await ended
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
    this.#paused = this.running
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
    this.#paused = false
  }

  /** The end of what it wrote. */
  logTail(): string {
    if (!existsSync(this.#logFile)) return `${this.name}: never started`
    const lines = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n')
    const shown = lines.slice(-shownLines)
    return [`${this.name}, last ${shown.length} of ${lines.length} lines:`, ...shown].join('\n')
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#paused = false
    rmSync(this.#pidFile, { force: true })
  }
}

async function waitForExit(child: ChildProcess): Promise<void> {
  child.ref()
  await once(child, 'exit', { signal: AbortSignal.timeout(stopTimeoutMs) })
}
