import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Reader, Writer } from '@platformatic/kafka'

/** What a partition answers to one Fetch. */
export interface Share {
  readonly errorCode?: number
  readonly records?: Buffer
  /** The replica that is to be asked instead. */
  readonly preferredReadReplica?: number
}

const apiVersions = 18
const metadata = 3
const fetch = 1

/**
 * Just enough of a broker to be fetched from, which says what the test makes it say: ApiVersions, Metadata v8, Fetch v11.
 * It is node 1 and leads every partition, unless `leader` says otherwise; `others` makes further brokers known.
 */
export class ScriptedBroker {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Asked per partition and fetch; undefined: nothing new. */
  answer: (partition: number, offset: number) => Share | undefined = () => undefined
  /** Instead of a Fetch's whole answer. */
  wholeAnswer: (() => Buffer | undefined) | undefined
  leader = 1
  leaderEpoch = 0
  /** Ports of other brokers, by node id. */
  readonly others = new Map<number, number>()
  /** How long each fetch let us wait, how much it asked for, and which partitions it was about. */
  readonly polls: { readonly waitMs: number; readonly maxBytes: number; readonly partitions: readonly number[] }[] = []
  /** What each fetch said of its client's rack. */
  readonly racks: string[] = []
  partitions = 1
  /** How often each partition was fetched. */
  readonly fetches = new Map<number, number>()
  connections = 0
  metadataRequests = 0
  /** Fetches are not answered at all. */
  hangs = false
  /** An empty answer waits this long, as a long poll does. */
  idleMs = 20

  private constructor(server: Server) {
    this.#server = server
  }

  static async open(): Promise<ScriptedBroker> {
    const server = createServer()
    const broker = new ScriptedBroker(server)
    server.on('connection', socket => broker.#accept(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #accept(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    let bytes = Buffer.alloc(0)
    socket.on('data', data => {
      bytes = Buffer.concat([bytes, data])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const size = bytes.readInt32BE(0)
        this.#request(socket, bytes.subarray(4, 4 + size))
        bytes = bytes.subarray(4 + size)
      }
    })
  }

  #request(socket: Socket, request: Buffer): void {
    const reader = Reader.from(Buffer.from(request))
    const apiKey = reader.readInt16()
    reader.readInt16()
    const correlationId = reader.readInt32()
    reader.readNullableString(false)
    const send = (body: Buffer, delayMs = 0) => {
      const head = Buffer.alloc(8)
      head.writeInt32BE(body.length + 4, 0)
      head.writeInt32BE(correlationId, 4)
      const frame = Buffer.concat([head, body])
      if (delayMs === 0) socket.write(frame)
      else setTimeout(() => socket.destroyed || socket.write(frame), delayMs)
    }
    if (apiKey === apiVersions) send(this.#versions())
    else if (apiKey === metadata) send(this.#metadata())
    else if (apiKey === fetch) this.#fetch(reader, send)
    else socket.destroy()
  }

  #versions(): Buffer {
    const offered = [
      [apiVersions, 0, 3],
      [metadata, 0, 8],
      [fetch, 0, 11]
    ] as const
    const w = Writer.create().appendInt16(0)
    w.appendArray([...offered], (w, [key, min, max]) => w.appendInt16(key).appendInt16(min).appendInt16(max))
    return w.appendInt32(0).appendTaggedFields().buffer
  }

  #metadata(): Buffer {
    this.metadataRequests++
    const partitions = Array.from({ length: this.partitions }, (_, index) => index)
    return Writer.create()
      .appendInt32(0)
      .appendArray(
        [[1, this.port] as const, ...this.others],
        (w, [node, port]) =>
          w.appendInt32(node).appendString('127.0.0.1', false).appendInt32(port).appendString(null, false),
        false,
        false
      )
      .appendString('cluster', false)
      .appendInt32(1)
      .appendArray(
        ['orders'],
        (w, name) => {
          w.appendInt16(0).appendString(name, false).appendBoolean(false)
          w.appendArray(partitions, (w, index) => this.#describe(w, index), false, false)
          w.appendInt32(0)
        },
        false,
        false
      )
      .appendInt32(0).buffer
  }

  #describe(w: Writer, partition: number): void {
    w.appendInt16(0).appendInt32(partition).appendInt32(this.leader).appendInt32(this.leaderEpoch)
    for (let list = 0; list < 3; list++) w.appendArray<number>([], () => undefined, false, false)
  }

  #fetch(reader: Reader, send: (body: Buffer, delayMs?: number) => void): void {
    const whole = this.wholeAnswer?.()
    if (whole !== undefined) return send(whole)
    reader.skip(4)
    const waitMs = reader.readInt32()
    reader.skip(4)
    const maxBytes = reader.readInt32()
    reader.skip(1 + 4 + 4)
    const asked = reader.readArray(
      r => ({
        topic: r.readString(false),
        partitions: r.readArray(r => ({ partition: r.readInt32(), offset: this.#offset(r) }), false, false)
      }),
      false,
      false
    )
    reader.readArray(
      r => {
        r.readString(false)
        r.readArray(r => r.readInt32(), false, false)
      },
      false,
      false
    )
    this.racks.push(reader.readString(false))
    const partitions = asked.flatMap(({ partitions }) => partitions.map(({ partition }) => partition))
    this.polls.push({ waitMs, maxBytes, partitions })
    let something = false
    const w = Writer.create().appendInt32(0).appendInt16(0).appendInt32(0)
    w.appendArray(
      asked,
      (w, { topic, partitions }) => {
        w.appendString(topic, false)
        w.appendArray(
          partitions,
          (w, { partition, offset }) => {
            this.fetches.set(partition, (this.fetches.get(partition) ?? 0) + 1)
            const share = this.answer(partition, offset)
            something ||= share !== undefined
            w.appendInt32(partition)
              .appendInt16(share?.errorCode ?? 0)
              .appendInt64(100n)
              .appendInt64(100n)
              .appendInt64(0n)
            w.appendInt32(-1).appendInt32(share?.preferredReadReplica ?? -1)
            w.appendBytes(share?.records ?? Buffer.alloc(0), false)
          },
          false,
          false
        )
      },
      false,
      false
    )
    if (!this.hangs) send(w.buffer, something ? 0 : this.idleMs)
  }

  #offset(reader: Reader): number {
    reader.skip(4)
    const offset = Number(reader.readInt64())
    reader.skip(8 + 4)
    return offset
  }
}
