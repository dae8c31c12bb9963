import { maxEventBytes } from '../core/event/encoder.ts'

const smallest = 64 * 1024

/**
 * Buffers that events are written into, reused by size class (powers of two from 64 KiB, the last as large as an event may
 * be): a call in flight owns its buffer until the function has answered.
 */
export class EventBuffers {
  readonly #free = new Map<number, Buffer[]>()
  readonly #keepPerClass: number

  constructor(keepPerClass = 8) {
    this.#keepPerClass = keepPerClass
  }

  /** A buffer of `bytes` at least, or of the largest class. */
  take(bytes: number): Buffer {
    const size = sizeClass(bytes)
    return this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size)
  }

  giveBack(buffer: Buffer): void {
    const free = this.#free.get(buffer.length)
    if (free === undefined) this.#free.set(buffer.length, [buffer])
    else if (free.length < this.#keepPerClass) free.push(buffer)
  }
}

function sizeClass(bytes: number): number {
  let size = smallest
  while (size < bytes && size < maxEventBytes) size *= 2
  return Math.min(size, maxEventBytes)
}
