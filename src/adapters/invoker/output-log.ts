import type { Readable } from 'node:stream'
import type { Clock } from '../../ports/clock.ts'

/** Limits of what one stream of a function may bring into our log. */
export interface OutputLimits {
  /** The rest of a longer line is left out. */
  readonly maxLineBytes: number
  readonly maxLinesPerSecond: number
  readonly maxBytesPerSecond: number
  /** Beyond this the stream is not read until the second is over: its writer has to wait. */
  readonly maxReadBytesPerSecond: number
}

export const outputLimits: OutputLimits = {
  maxLineBytes: 16_384,
  maxLinesPerSecond: 1_000,
  maxBytesPerSecond: 1_048_576,
  maxReadBytesPerSecond: 67_108_864
}

export interface OutputSink {
  line(text: string): void
  /** So many bytes were left out since it was last told. */
  dropped(bytes: number): void
}

const newline = 10
const windowMs = 1_000

/** Cuts a function's output into lines until the stream ends. A flood costs us neither memory nor the log. */
export function logOutput(stream: Readable, sink: OutputSink, clock: Clock, limits: OutputLimits = outputLimits): void {
  const log = new OutputLog(stream, sink, clock, limits)
  stream.on('data', (chunk: Buffer) => log.take(chunk))
  stream.on('error', () => {}) // a pipe that broke has nothing more to say
  stream.on('close', () => log.end())
}

class OutputLog {
  readonly #stream: Readable
  readonly #sink: OutputSink
  readonly #clock: Clock
  readonly #limits: OutputLimits
  #line: Buffer[] = []
  #lineBytes = 0
  #windowEndsMs: number
  #lines = 0
  #bytes = 0
  #read = 0
  #dropped = 0
  #stopTimer: (() => void) | undefined

  constructor(stream: Readable, sink: OutputSink, clock: Clock, limits: OutputLimits) {
    this.#stream = stream
    this.#sink = sink
    this.#clock = clock
    this.#limits = limits
    this.#windowEndsMs = clock.monotonicMs() + windowMs
  }

  end(): void {
    this.#endLine()
    this.#tellDropped()
  }

  take(chunk: Buffer): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs >= this.#windowEndsMs) this.#openWindow(nowMs)
    this.#read += chunk.byteLength
    if (this.#read > this.#limits.maxReadBytesPerSecond) this.#rest(this.#windowEndsMs - nowMs)
    if (this.#isFull()) return this.#drop(chunk.byteLength)
    let from = 0
    for (let to = chunk.indexOf(newline); to !== -1; to = chunk.indexOf(newline, from)) {
      this.#append(chunk.subarray(from, to))
      this.#endLine()
      from = to + 1
      if (this.#isFull()) return this.#drop(chunk.byteLength - from)
    }
    this.#append(chunk.subarray(from))
  }

  #isFull(): boolean {
    return this.#lines >= this.#limits.maxLinesPerSecond || this.#bytes >= this.#limits.maxBytesPerSecond
  }

  #append(part: Buffer): void {
    const room = this.#limits.maxLineBytes - this.#lineBytes
    const kept = part.subarray(0, Math.max(0, room))
    // Copied: a few bytes must not keep the whole chunk alive.
    if (kept.byteLength > 0) this.#line.push(Buffer.from(kept))
    this.#lineBytes += kept.byteLength
    this.#drop(part.byteLength - kept.byteLength)
  }

  #endLine(): void {
    if (this.#lineBytes === 0) return
    const line = Buffer.concat(this.#line, this.#lineBytes).toString('utf8')
    this.#lines += 1
    this.#bytes += this.#lineBytes
    this.#line = []
    this.#lineBytes = 0
    this.#sink.line(line.endsWith('\r') ? line.slice(0, -1) : line)
  }

  #openWindow(nowMs: number): void {
    this.#windowEndsMs = nowMs + windowMs
    this.#lines = 0
    this.#bytes = 0
    this.#read = 0
  }

  #drop(bytes: number): void {
    if (bytes === 0) return
    this.#dropped += bytes
    this.#stopTimer ??= this.#clock.after(windowMs, () => this.#tellDropped())
  }

  #tellDropped(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    if (this.#dropped === 0) return
    this.#sink.dropped(this.#dropped)
    this.#dropped = 0
  }

  #rest(forMs: number): void {
    if (this.#stream.isPaused()) return
    this.#stream.pause()
    this.#clock.after(Math.max(1, forMs), () => this.#stream.resume())
  }
}
