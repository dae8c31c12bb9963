import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { HttpTarget } from '../../../src/ports/functions.ts'
import type { Deed } from '../../contracts/invoker.ts'

export interface SeenCall {
  readonly headers: http.IncomingHttpHeaders
  readonly url: string
}

/** Says why a request is refused. */
export type Check = (request: http.IncomingMessage, event: Buffer) => string | undefined

/** A function behind HTTP that does what the event says, or what `next` was told for one call. */
export class ScriptedFunction extends EventEmitter<{ hang: [] }> implements AsyncDisposable {
  readonly calls: SeenCall[] = []
  readonly sockets = new Set<Socket>()
  /** Calls not yet answered at one time. */
  mostRunning = 0
  #running = 0
  readonly #server = http.createServer((request, response) => void this.#answer(request, response))
  readonly #checks: Check
  #next: ((response: http.ServerResponse, event: Buffer) => void) | undefined

  private constructor(checks: Check) {
    super()
    this.#checks = checks
  }

  static async open(checks: Check = () => undefined): Promise<ScriptedFunction> {
    const double = new ScriptedFunction(checks)
    double.#server.on('connection', socket => {
      double.sockets.add(socket)
      socket.on('close', () => double.sockets.delete(socket))
      socket.on('error', () => {}) // a client that goes is what many tests are about
    })
    double.#server.listen(0, '127.0.0.1')
    await once(double.#server, 'listening')
    return double
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  target(more: Partial<HttpTarget> = {}): HttpTarget {
    return { kind: 'http', url: `http://${this.host}/orders`, headers: {}, timeoutMs: 10_000, ...more }
  }

  /** Answers exactly one call so, then by script again. */
  answerNext(answer: (response: http.ServerResponse, event: Buffer) => void): void {
    this.#next = answer
  }

  /** Connections are refused from here on. Safe twice. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.calls.push({ headers: request.headers, url: request.url ?? '' })
    this.mostRunning = Math.max(this.mostRunning, ++this.#running)
    // Before the answer leaves: whoever reads it may call again at once.
    response.once('prefinish', () => this.#running--)
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return // the client went away in the middle of its event
    }
    const event = Buffer.concat(chunks)
    const refusal = this.#checks(request, event)
    if (refusal !== undefined) {
      const body = JSON.stringify({ message: refusal })
      response.writeHead(403, { 'x-amzn-errortype': 'InvalidSignatureException' }).end(body)
      return
    }
    const next = this.#next
    this.#next = undefined
    if (next === undefined) this.#perform(JSON.parse(event.toString()) as Deed, response, event)
    else next(response, event)
  }

  #perform(deed: Deed, response: http.ServerResponse, event: Buffer): void {
    switch (deed.do) {
      case 'return':
        return void response.writeHead(200, { 'x-amz-executed-version': '7' }).end(JSON.stringify(deed.value))
      case 'digest': {
        const sha256 = createHash('sha256').update(event).digest('hex')
        return void response.end(JSON.stringify({ bytes: event.byteLength, sha256 }))
      }
      case 'empty':
        return void response.writeHead(204).end()
      case 'fail': {
        const { errorType, errorMessage } = deed
        response.writeHead(200, { 'x-amz-function-error': 'Unhandled', 'x-amz-executed-version': '7' })
        return void response.end(JSON.stringify({ errorType, errorMessage, trace: [] }))
      }
      case 'throttle':
        return void response.writeHead(429, { 'retry-after': String(deed.retryAfterSeconds) }).end()
      case 'unavailable':
        return void response.writeHead(503).end('starting')
      case 'refuse-size':
        return void response.writeHead(413).end()
      case 'hang':
        return void this.emit('hang')
      case 'drip': {
        response.writeHead(200)
        const drops = setInterval(() => void response.write(' '), 10)
        return void response.on('close', () => clearInterval(drops))
      }
      case 'slow': {
        const text = JSON.stringify(deed.value)
        const size = Math.ceil(text.length / deed.pieces)
        response.writeHead(200, { 'content-length': text.length })
        const send = (from: number) => {
          response.write(text.slice(from, from + size))
          if (from + size >= text.length) response.end()
          else setTimeout(send, deed.everyMs, from + size)
        }
        return send(0)
      }
      case 'late':
        return void setTimeout(() => void response.end(JSON.stringify(deed.value)), deed.afterMs)
      case 'cut':
        return void response.destroy()
      case 'long':
        return void response.end(`"${'a'.repeat(deed.bytes - 2)}"`)
      case 'break':
        response.writeHead(200, { 'content-length': 100 })
        response.write('{"half":', () => response.destroy())
        return
      default:
        throw new Error(`no answer for ${JSON.stringify(deed satisfies never)}`)
    }
  }
}
