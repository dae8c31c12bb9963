import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { apiNamed } from '../../src/devbroker/apis.ts'
import type { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { FrameSplitter } from '../../src/devbroker/frame-splitter.ts'
import { WireReader } from '../../src/devbroker/wire-reader.ts'
import { nullableString } from '../../src/devbroker/wire-schema.ts'
import { WireWriter } from '../../src/devbroker/wire-writer.ts'

/** A bare connection that sends any request in any version, or any bytes. Answers are read by the broker's own tables. */
export class RawClient implements Disposable {
  readonly socket: Socket
  readonly #splitter = new FrameSplitter(4)
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = []
  #correlationId = 0

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      for (const frame of this.#splitter.push(chunk)) this.#waiting.shift()?.(frame)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const resolve of this.#waiting.splice(0)) resolve(undefined)
    })
  }

  static async open({ port }: EmbeddedBroker): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  /** Resolves when the broker has ended the connection. */
  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }

  /** The body of the answer, its header taken off. Throws when the connection ends instead. */
  async call(name: string, version: number, request: object): Promise<Record<string, unknown>> {
    const api = apiNamed(name)
    const flexible = version >= api.flexibleFrom
    const writer = new WireWriter()
    api.request.write(writer, request, { version, flexible })
    const answer = await this.exchange(api.key, version, Buffer.concat(writer.buffers()), flexible)
    const reader = new WireReader(answer)
    if (flexible && name !== 'ApiVersions') reader.uvarint()
    return api.response.read(reader, { version, flexible }) as Record<string, unknown>
  }

  /** Sends a request of any key and version; resolves with what follows the correlation id of the answer. */
  async exchange(key: number, version: number, body: Buffer, flexible: boolean): Promise<Buffer> {
    const writer = new WireWriter()
    const correlationId = ++this.#correlationId
    writer.int16(key)
    writer.int16(version)
    writer.int32(correlationId)
    nullableString.write(writer, 'raw', { version: 0, flexible: false })
    if (flexible) writer.uvarint(0)
    writer.raw(body)
    const length = Buffer.alloc(4)
    length.writeInt32BE(writer.length)
    const answered = new Promise<Buffer | undefined>(resolve => this.#waiting.push(resolve))
    this.socket.write(Buffer.concat([length, ...writer.buffers()]))
    const frame = await answered
    if (frame === undefined) throw new Error('the broker closed the connection')
    if (frame.readInt32BE() !== correlationId) throw new Error(`answer ${frame.readInt32BE()} to ${correlationId}`)
    return frame.subarray(4)
  }
}
