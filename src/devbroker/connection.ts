import { once } from 'node:events'
import type { Socket } from 'node:net'
import { FrameSplitter } from './frame-splitter.ts'
import type { Reply } from './responder.ts'
import { MalformedRequest } from './wire-reader.ts'

/** Requests that wait for their turn: past this the socket is not read. */
const maxWaitingBytes = 8 * 1024 * 1024
const maxWaiting = 256

/**
 * One client. Requests are handled one after the other, as Kafka does: the next begins when the answer to the one
 * before has been taken by the socket, so that answers come in order and a slow reader holds up only itself.
 * Bytes that are no request end this connection and no other.
 */
export class Connection {
  readonly #socket: Socket
  readonly #respond: (frame: Buffer, signal: AbortSignal) => Promise<Reply>
  readonly #log: (line: string) => void
  readonly #splitter = new FrameSplitter()
  readonly #ended = new AbortController()
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #isWorking = false

  constructor(
    socket: Socket,
    respond: (frame: Buffer, signal: AbortSignal) => Promise<Reply>,
    log: (line: string) => void
  ) {
    this.#socket = socket
    this.#respond = respond
    this.#log = log
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#receive(chunk))
    socket.on('error', error => this.#log(`${this.#name}: ${error.message}`))
    socket.on('close', () => this.#ended.abort())
  }

  destroy(): void {
    this.#ended.abort()
    this.#socket.destroy()
  }

  get #name(): string {
    return `connection from ${this.#socket.remoteAddress ?? 'nowhere'}:${this.#socket.remotePort ?? 0}`
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#splitter.push(chunk)) {
        this.#waiting.push(frame)
        this.#waitingBytes += frame.length
      }
    } catch (error) {
      return this.#refuse(error)
    }
    if (this.#waitingBytes > maxWaitingBytes || this.#waiting.length > maxWaiting) this.#socket.pause()
    if (!this.#isWorking) void this.#work()
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    try {
      for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
        this.#waitingBytes -= frame.length
        if (this.#waiting.length === 0) this.#socket.resume()
        const reply = await this.#respond(frame, this.#ended.signal)
        if (this.#ended.signal.aborted) return
        if (reply === 'drop') return this.destroy()
        if (reply !== 'nothing') await this.#send(reply.send)
      }
    } catch (error) {
      this.#refuse(error)
    } finally {
      this.#isWorking = false
    }
  }

  async #send(buffers: readonly Buffer[]): Promise<void> {
    this.#socket.cork()
    for (const buffer of buffers) this.#socket.write(buffer)
    this.#socket.uncork()
    if (!this.#socket.writableNeedDrain) return
    // Ends with an AbortError when the connection does, which is nobody's fault.
    await once(this.#socket, 'drain', { signal: this.#ended.signal }).catch(() => undefined)
  }

  #refuse(error: unknown): void {
    if (error instanceof MalformedRequest) this.#log(`${this.#name} closed: malformed request, ${error.message}`)
    else this.#log(`${this.#name} closed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    this.destroy()
  }
}
