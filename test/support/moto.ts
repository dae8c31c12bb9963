import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Reaper } from './kafka/reaper.ts'

const wanted = 'moto[server]==5.2.1'

let found: string | undefined

/** The program of moto's server: what MILLRACE_TEST_MOTO names, or the one on the PATH. */
function program(): string | undefined {
  found ??= [process.env['MILLRACE_TEST_MOTO'], 'moto_server'].find(
    candidate => candidate !== undefined && spawnSync(candidate, ['--help'], { timeout: 60_000 }).status === 0
  )
  return found
}

/** Registers tests that need moto. Where it is missing they are skipped by one name, and under `CI=true` that fails. */
export function withMoto(name: string, register: () => void): void {
  if (program() !== undefined) return register()
  const reason = `no moto here: 'pip install ${wanted}' would bring it`
  if (process.env['CI'] === 'true') test(name, () => assert.fail(reason))
  else test(name, { skip: reason }, () => undefined)
}

/**
 * moto's server: AWS in a process of its own, in memory. `url` leads to it through a door that can be shut; `directUrl` always
 * does.
 */
export class Moto implements AsyncDisposable {
  readonly directUrl: string
  readonly #reaper: Reaper
  readonly #door: Door

  private constructor(reaper: Reaper, directUrl: string, door: Door) {
    this.#reaper = reaper
    this.directUrl = directUrl
    this.#door = door
  }

  static async start(): Promise<Moto> {
    const child = spawn(program() ?? 'moto_server', ['-H', '127.0.0.1', '-p', '0'], {
      stdio: ['ignore', 'pipe', 'pipe']
    })
    const reaper = await reaperOf(child.pid)
    child.stdout.resume()
    const said: string[] = []
    for await (const line of createInterface(child.stderr)) {
      said.push(line)
      const [, url, port] = /Running on (http:\/\/127\.0\.0\.1:(\d+))/.exec(line) ?? []
      if (url === undefined) continue
      // The loop ends the reading; the log must go on being read.
      child.stderr.resume()
      return new Moto(reaper, url, await Door.open(Number(port)))
    }
    await reaper.reap()
    throw new Error(`moto did not start: ${said.join('\n')}`)
  }

  get url(): string {
    return `http://127.0.0.1:${this.#door.port}`
  }

  /** `refuse`: no connection is taken, those that are there break. `silence`: requests get no answer. */
  fail(how: 'refuse' | 'silence'): Promise<void> {
    return this.#door.shut(how)
  }

  heal(): Promise<void> {
    return this.#door.reopen()
  }

  /** Resolves when a request has come while nothing is answered. */
  unanswered(): Promise<void> {
    return this.#door.unanswered()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door.close()
    await this.#reaper.reap()
  }
}

/** Ends the process with ours, however ours ends. */
async function reaperOf(pid: number | undefined): Promise<Reaper> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-moto-'))
  await writeFile(join(folder, 'moto.pid'), String(pid))
  return new Reaper(folder)
}

/** A TCP proxy on a port that stays the same. */
class Door {
  readonly port: number
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server
  #isSilent = false
  #swallowed = Promise.withResolvers<void>()

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', socket => this.#take(socket))
  }

  static async open(target: number): Promise<Door> {
    return new Door(await listening(0), target)
  }

  async shut(how: 'refuse' | 'silence'): Promise<void> {
    this.#isSilent = how === 'silence'
    this.#swallowed = Promise.withResolvers()
    if (how === 'refuse') await this.close()
    else this.#break()
  }

  async reopen(): Promise<void> {
    this.#isSilent = false
    this.#break()
    if (this.#server.listening) return
    this.#server = await listening(this.port)
    this.#server.on('connection', socket => this.#take(socket))
  }

  unanswered(): Promise<void> {
    return this.#swallowed.promise
  }

  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    this.#break()
    await closed
  }

  #break(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(socket: Socket): void {
    this.#keep(socket)
    if (this.#isSilent) {
      socket.on('data', () => this.#swallowed.resolve())
      return
    }
    const onward = connect(this.#target, '127.0.0.1')
    this.#keep(onward)
    socket.pipe(onward).pipe(socket)
    socket.on('close', () => onward.destroy())
    onward.on('close', () => socket.destroy())
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => undefined)
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
