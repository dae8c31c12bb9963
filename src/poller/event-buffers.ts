import { maxEventBytes } from '../core/event/encoder.ts'
import type { Meter } from '../ports/memory.ts'

const smallest = 64 * 1024

/** Buffers beyond this are left to the garbage collector when they come back. */
const defaultIdleBytes = 32 * 1024 * 1024

const uncounted: Meter = { hold: () => undefined, free: () => undefined }

/**
 * Buffers that events are written into, reused by size class (powers of two from 64 KiB, the last as large as an event may
 * be): a call in flight owns its buffer until the function has answered.
 */
export class EventBuffers {
  readonly #free = new Map<number, Buffer[]>()
  readonly #meter: Meter
  readonly #maxIdleBytes: number
  #idleBytes = 0

  /** `meter` counts those that are out. */
  constructor(meter: Meter = uncounted, maxIdleBytes = defaultIdleBytes) {
    this.#meter = meter
    this.#maxIdleBytes = maxIdleBytes
  }

  /** Bytes of buffers that wait to be used again. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** A buffer of `bytes` at least, or of the largest class. */
  take(bytes: number): Buffer {
    const size = sizeClass(bytes)
    this.#meter.hold(size)
    const idle = this.#free.get(size)?.pop()
    if (idle === undefined) return Buffer.allocUnsafeSlow(size)
    this.#idleBytes -= size
    return idle
  }

  giveBack(buffer: Buffer): void {
    const size = buffer.length
    this.#meter.free(size)
    if (this.#idleBytes + size > this.#maxIdleBytes) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
    this.#idleBytes += size
  }
}

function sizeClass(bytes: number): number {
  let size = smallest
  while (size < bytes && size < maxEventBytes) size *= 2
  return Math.min(size, maxEventBytes)
}
