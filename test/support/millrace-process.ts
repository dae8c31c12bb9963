import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { Reaper } from './kafka/reaper.ts'
import { eventually } from './poll.ts'

const program = resolve('src/app/main.ts')
const startTimeoutMs = 30_000
/** Longer than the grace, last commits, leaving and the patience with what does none of these take together. */
const stopTimeoutMs = 55_000
const shownLines = 60

/** A line that is JSON, as `serve` logs it. */
export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

export interface MillraceOptions {
  /** Content of `millrace.yaml`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Beside `serve` and ports 0. */
  readonly args?: readonly string[]
  /** Beside the machine's own variables, of which AWS's and ours are kept from it. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

type Child = ChildProcessByStdio<null, Readable, Readable>

/**
 * The real program, `millrace serve`, in a folder of its own: `millrace.yaml`, and its data over all its lives. However
 * the test process ends, it ends with it.
 */
export class MillraceProcess implements AsyncDisposable {
  readonly folder: string
  /** Lines of all lives. */
  readonly log: LogLine[] = []
  /** What it said on stderr that is no log line. */
  readonly said: string[] = []
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #reaper: Reaper
  #child: Child | undefined
  /** Index of the first log line of the present life. */
  #lifeBegan = 0
  #exited: Promise<Exit> = Promise.resolve({ code: null, signal: null })
  #urls: { api: string; admin: string } | undefined

  private constructor(folder: string, { args = [], env = {} }: MillraceOptions) {
    this.folder = folder
    this.#args = args
    this.#env = env
    this.#reaper = new Reaper(folder)
  }

  /** Starts it; resolves when it serves. */
  static async start(options: MillraceOptions = {}): Promise<MillraceProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-e2e-'))
    const millrace = new MillraceProcess(folder, options)
    try {
      await writeFile(join(folder, 'millrace.yaml'), stringify(options.config ?? {}))
      await millrace.start()
    } catch (error) {
      await millrace.close()
      throw error
    }
    return millrace
  }

  get dataDir(): string {
    return join(this.folder, 'data')
  }

  get url(): string {
    return this.#serving().api
  }

  get adminUrl(): string {
    return this.#serving().admin
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('millrace does not run')
    return pid
  }

  /** Resolves when its present life has ended. */
  get exited(): Promise<Exit> {
    return this.#exited
  }

  /** The key that it made at its first start. */
  async credentials(): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
    const text = await readFile(join(this.dataDir, 'credentials.json'), 'utf8')
    return JSON.parse(text) as { accessKeyId: string; secretAccessKey: string }
  }

  /** Starts it again on its data. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error('millrace runs already')
    const child = launch(
      ['serve', '--data-dir', this.dataDir, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', ...this.#args],
      this.folder,
      this.#env
    )
    this.#child = child
    this.#lifeBegan = this.log.length
    this.#exited = markedExit(child, this.folder).then(exit => {
      this.#child = undefined
      this.#urls = undefined
      return exit
    })
    createInterface(child.stderr).on('line', line => this.#heard(line))
    createInterface(child.stdout).once('line', line => {
      this.#urls = JSON.parse(line) as { api: string; admin: string }
    })
    await eventually(() => this.#urls !== undefined || this.#child === undefined, {
      describe: () => `millrace serves\n${this.tail()}`,
      timeoutMs: startTimeoutMs,
      intervalMs: 10
    })
    if (this.#urls === undefined) throw new Error(`millrace ended while it started\n${this.tail()}`)
  }

  /** Resolves once the present life has logged a message that matches. */
  async logs(pattern: RegExp): Promise<LogLine> {
    return eventually(() => this.log.slice(this.#lifeBegan).find(({ message }) => pattern.test(message)), {
      describe: () => `millrace logs ${String(pattern)}\n${this.tail()}`,
      timeoutMs: startTimeoutMs,
      intervalMs: 5
    })
  }

  /** SIGTERM, and how it ended. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<Exit> {
    this.#child?.kill(signal)
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), stopTimeoutMs)
    const exit = await this.#exited
    clearTimeout(timer)
    if (exit.signal === 'SIGKILL') throw new Error(`millrace did not end within ${stopTimeoutMs} ms\n${this.tail()}`)
    return exit
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Kills what runs and removes the folder. Safe twice. */
  async close(): Promise<void> {
    await this.kill()
    await this.#reaper.reap()
    await rm(this.folder, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The end of what it said, for a failure's message. */
  tail(): string {
    return [...this.said, ...this.log.slice(-shownLines).map(line => JSON.stringify(line))].join('\n')
  }

  #heard(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine)
    } catch {
      this.said.push(line)
    }
  }

  #serving(): { api: string; admin: string } {
    if (this.#urls === undefined) throw new Error('millrace does not serve')
    return this.#urls
  }
}

export interface Ended extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** Runs `millrace ARGS` in a folder with this `millrace.yaml` until it ends; it is killed after 30 s. */
export async function runMillrace(
  args: readonly string[],
  config: Readonly<Record<string, unknown>> = {}
): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-e2e-'))
  const reaper = new Reaper(folder)
  try {
    await writeFile(join(folder, 'millrace.yaml'), stringify(config))
    const child = launch(args, folder)
    const timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs)
    const [exit, stdout, stderr] = await Promise.all([
      markedExit(child, folder),
      text(child.stdout),
      text(child.stderr)
    ])
    clearTimeout(timer)
    return { ...exit, stdout, stderr }
  } finally {
    await reaper.reap()
  }
}

function launch(args: readonly string[], cwd: string, own: Readonly<Record<string, string>> = {}): Child {
  // Nothing of the machine's own configuration may leak in: AWS_REGION alone would change every ARN.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AWS|MILLRACE|NODE_OPTIONS|NODE_TEST)/.test(name))
  )
  return spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...env, ...own },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

/** Resolves when it has ended. Meanwhile its id lies where the reaper finds it. */
async function markedExit(child: Child, folder: string): Promise<Exit> {
  const file = join(folder, 'millrace.pid')
  writeFileSync(file, String(child.pid))
  const [code, signal] = (await once(child, 'exit')) as [Exit['code'], Exit['signal']]
  rmSync(file, { force: true })
  return { code, signal }
}
