import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Reaper } from './kafka/reaper.ts'
import { eventually } from './poll.ts'

const program = resolve('src/app/main.ts')
/** The machine may have other work. */
const patienceMs = 60_000

export interface DevRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** A developer's folder, empty at first, in which the real program runs. However the test process ends, all ends with it. */
export class DevFolder implements AsyncDisposable {
  readonly path: string
  readonly #bin: string
  readonly #reaper: Reaper
  readonly #running = new Set<DevProcess>()
  #runs = 0

  private constructor(path: string) {
    this.path = join(path, 'shop')
    this.#bin = path
    this.#reaper = new Reaper(path)
  }

  static async make(files: Readonly<Record<string, string>> = {}): Promise<DevFolder> {
    const folder = new DevFolder(await mkdtemp(join(tmpdir(), 'millrace-dev-')))
    mkdirSync(folder.path)
    const shim = join(folder.#bin, 'millrace')
    writeFileSync(shim, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`)
    chmodSync(shim, 0o755)
    for (const [name, content] of Object.entries(files)) folder.write(name, content)
    return folder
  }

  write(name: string, content: string): void {
    const file = join(this.path, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8')
  }

  /** Runs `millrace ARGS` to its end. */
  run(
    args: readonly string[],
    { input = '', env = {} }: { input?: string | Buffer; env?: Record<string, string> } = {}
  ) {
    return this.#end(process.execPath, [program, ...args], input, env)
  }

  /** Runs a command line as a shell does, in which `millrace` is the program. */
  shell(line: string): Promise<DevRun> {
    return this.#end('sh', ['-c', line], '', {})
  }

  /** Starts `millrace ARGS`, and leaves it running. */
  start(args: readonly string[], env: Record<string, string> = {}): DevProcess {
    return this.#keep(new DevProcess(this.#spawn(process.execPath, [program, ...args], env)))
  }

  /** As `start`, with a command line. */
  startShell(line: string): DevProcess {
    return this.#keep(new DevProcess(this.#spawn('sh', ['-c', `exec ${line}`], {})))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running) await each.kill()
    await this.#reaper.reap()
    await rm(this.#bin, { recursive: true, force: true })
  }

  #keep(started: DevProcess): DevProcess {
    this.#running.add(started)
    return started
  }

  async #end(
    file: string,
    args: readonly string[],
    input: string | Buffer,
    env: Record<string, string>
  ): Promise<DevRun> {
    const child = this.#spawn(file, args, env)
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    child.stdin.on('error', () => undefined) // it ended without reading
    child.stdin.end(input)
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number | null]>,
      text(child.stdout),
      text(child.stderr)
    ])
    clearTimeout(timer)
    return { code, stdout, stderr }
  }

  #spawn(file: string, args: readonly string[], own: Record<string, string>): Child {
    // Nothing of the machine's own configuration may leak in, and no port is anybody's.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(AWS|MILLRACE|NODE_OPTIONS|NODE_TEST|NO_COLOR)/.test(name))
    )
    const child = spawn(file, args, {
      cwd: this.path,
      env: {
        ...env,
        HOME: this.path,
        PATH: `${this.#bin}:${env['PATH'] ?? ''}`,
        MILLRACE_LISTEN: '127.0.0.1:0',
        MILLRACE_ADMIN_LISTEN: '127.0.0.1:0',
        ...own
      },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    const mark = join(this.#bin, `${++this.#runs}.pid`)
    writeFileSync(mark, String(child.pid))
    child.once('exit', () => rmSync(mark, { force: true }))
    return child
  }
}

/** A `millrace` that runs. */
export class DevProcess {
  readonly pid: number
  readonly #child: Child
  readonly #exited: Promise<[number | null, NodeJS.Signals | null]>
  #isClosed = false
  #said = ''
  #out = ''

  constructor(child: Child) {
    this.#child = child
    this.pid = child.pid!
    // When its output has ended, too.
    this.#exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    child.once('close', () => (this.#isClosed = true))
    child.stdout.on('data', (chunk: Buffer) => {
      this.#out += chunk.toString()
      this.#said += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => (this.#said += chunk.toString()))
  }

  /** On stdout. */
  get out(): string {
    return this.#out
  }

  /** The lines on stdout that are JSON. */
  get events(): readonly Readonly<Record<string, unknown>>[] {
    return this.#out
      .split('\n')
      .slice(0, -1)
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Readonly<Record<string, unknown>>)
  }

  /** Resolves once stdout has this. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#eventually(() => pattern.exec(this.#out) ?? undefined, String(pattern))
  }

  /** Resolves with the first event of a kind that `fits`. */
  async event(
    kind: string,
    fits: (event: Readonly<Record<string, unknown>>) => boolean = () => true
  ): Promise<Readonly<Record<string, unknown>>> {
    return this.#eventually(() => this.events.find(event => event['kind'] === kind && fits(event)), `event ${kind}`)
  }

  /** Signals it, and resolves with how it exited. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended()
  }

  async ended(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs)
    const [code, signal] = await this.#exited
    clearTimeout(timer)
    if (signal === 'SIGKILL') throw new Error(`it did not end in time:\n${this.#said}`)
    return code
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async #eventually<T extends object>(check: () => T | undefined, what: string): Promise<T> {
    const found = () => check() ?? (this.#isClosed ? 'ended' : undefined)
    const answer = await eventually(found, {
      describe: () => `${what}\n${this.#said}`,
      timeoutMs: patienceMs,
      intervalMs: 10
    })
    if (answer === 'ended') throw new Error(`it ended without ${what}\n${this.#said}`)
    return answer
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
