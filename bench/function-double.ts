// The function of a benchmark, in a process of its own: reads bodies by their content-length and answers what was
// prepared. It also holds the stop-watch, for it alone knows when the first and the last record came.
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { EventAccount } from './event-account.ts'
import { costOf, difference, peakMiB } from './process-cost.ts'
import type { Cost } from './process-cost.ts'

/** What is about to run. */
export interface Expectation {
  /** Whose CPU time is counted. */
  readonly pid: number
  readonly topic: string
  readonly partitions: number
  readonly valueBytes: number
  readonly records: number
  /** Only every so manyth offset comes; default 1. */
  readonly every?: number
}

/** What came of it, from the beginning of the first request to the end of the last. */
export interface Measured {
  readonly records: number
  readonly requests: number
  readonly bodyBytes: number
  readonly seconds: number
  /** Absent where the system does not tell. */
  readonly cost?: Cost
  readonly peakMiB?: number
  /** Loss, repetition or disorder: the run is void. */
  readonly faults: readonly string[]
}

export type ToDouble = { readonly type: 'expect'; readonly expectation: Expectation } | { readonly type: 'report' }
export type FromDouble =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'expecting' }
  | { readonly type: 'measured'; readonly measured: Measured }

const answerBody = '{"batchItemFailures":[]}'
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answerBody.length}\r\n\r\n${answerBody}`
)
const headEnd = Buffer.from('\r\n\r\n')
const smallestBodyBytes = 4 << 20

class StopWatch {
  readonly #expectation: Expectation
  readonly account: EventAccount
  #startedAt: number | undefined
  #costAtStart: Cost | undefined
  #told = false

  constructor(expectation: Expectation) {
    this.#expectation = expectation
    const { topic, partitions, valueBytes, every } = expectation
    this.account = new EventAccount(topic, partitions, valueBytes, every)
  }

  requestBegins(): void {
    if (this.#startedAt !== undefined) return
    this.#startedAt = performance.now()
    this.#costAtStart = costOf(this.#expectation.pid)
  }

  requestEnds(body: Buffer): void {
    this.account.add(body)
    if (this.account.records >= this.#expectation.records) this.tell()
  }

  tell(): void {
    if (this.#told) return
    this.#told = true
    const { pid, records: expected } = this.#expectation
    const cost = costOf(pid)
    const peak = peakMiB(pid)
    const { records, requests, bodyBytes, faults } = this.account
    if (records !== expected) faults.push(`${records} records came instead of ${expected}`)
    say({
      type: 'measured',
      measured: {
        records,
        requests,
        bodyBytes,
        seconds: this.#startedAt === undefined ? 0 : (performance.now() - this.#startedAt) / 1000,
        ...(cost === undefined || this.#costAtStart === undefined ? {} : { cost: difference(this.#costAtStart, cost) }),
        ...(peak === undefined ? {} : { peakMiB: peak }),
        faults
      }
    })
  }
}

let watch: StopWatch | undefined

/** One keep-alive connection: requests come one after the other. */
class Connection {
  readonly #socket: Socket
  #head: Buffer = Buffer.alloc(0)
  #body = Buffer.allocUnsafeSlow(smallestBodyBytes)
  /** Of the body; -1 while the head is being read. */
  #length = -1
  #filled = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    // A subject that was killed resets its connections.
    socket.on('error', () => socket.destroy())
  }

  #arrived(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) rest = this.#length < 0 ? this.#readHead(rest) : this.#readBody(rest)
  }

  #readHead(chunk: Buffer): Buffer {
    const head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    const end = head.indexOf(headEnd)
    if (end < 0) {
      this.#head = head
      return Buffer.alloc(0)
    }
    const length = /\r\ncontent-length: *(\d+)/i.exec(head.toString('latin1', 0, end))?.[1]
    if (length === undefined) throw new Error('a request without content-length')
    this.#head = Buffer.alloc(0)
    this.#length = Number(length)
    this.#filled = 0
    if (this.#length > this.#body.length) this.#body = Buffer.allocUnsafeSlow(this.#length)
    watch?.requestBegins()
    return head.subarray(end + headEnd.length)
  }

  #readBody(chunk: Buffer): Buffer {
    const taken = chunk.copy(this.#body, this.#filled, 0, Math.min(chunk.length, this.#length - this.#filled))
    this.#filled += taken
    if (this.#filled === this.#length) {
      this.#socket.write(answer)
      watch?.requestEnds(this.#body.subarray(0, this.#length))
      this.#length = -1
    }
    return chunk.subarray(taken)
  }
}

function say(message: FromDouble): void {
  process.send?.(message)
}

const server = createServer(socket => new Connection(socket))
server.listen(0, '127.0.0.1', () => {
  say({ type: 'listening', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bench` })
})
process.on('message', (message: ToDouble) => {
  if (message.type === 'report') watch?.tell()
  else {
    watch = new StopWatch(message.expectation)
    say({ type: 'expecting' })
  }
})
// Whoever started it has gone.
process.on('disconnect', () => process.exit())
