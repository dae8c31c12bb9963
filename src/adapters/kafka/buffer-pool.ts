import type { Meter } from '../../ports/memory.ts'

/** Frames below this size are not pooled: allocating them costs less than keeping them. */
const smallestPooledBytes = 64 << 10
const largestPooledBytes = 16 << 20

/** One response's bytes, held by everybody who retained it. */
export interface Lease {
  readonly bytes: Buffer
  /** Size of the whole Buffer that stays occupied while the lease is held. */
  readonly heldBytes: number
  retain(): void
  /** The last release gives the Buffer back to the pool: no view of it may be read afterwards. */
  release(): void
}

/**
 * Buffers for fetch responses, counted: one is used again only when everybody has released it, because retries,
 * bisects and destinations read a record's raw bytes long after it was fetched. Sizes come in classes, at most a quarter apart.
 */
export class BufferPool {
  readonly #idle = new Map<number, Buffer[]>()
  readonly #maxIdleBytes: number
  #idleBytes = 0
  #heldBytes = 0
  #leases = 0

  /** @param maxIdleBytes Buffers beyond this are left to the garbage collector when they come back. */
  constructor(maxIdleBytes: number) {
    this.#maxIdleBytes = maxIdleBytes
  }

  /** Bytes of Buffers that wait to be used again. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** Bytes of Buffers that somebody holds. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Leases that are not released yet. */
  get leases(): number {
    return this.#leases
  }

  lease(size: number): Lease {
    const whole = this.#take(sizeClass(size))
    this.#leases++
    this.#heldBytes += whole.length
    let holders = 1
    return {
      bytes: whole.length === size ? whole : whole.subarray(0, size),
      heldBytes: whole.length,
      retain: () => {
        if (holders === 0) throw new Error('a buffer was retained after it had gone back to the pool')
        holders++
      },
      release: () => {
        if (holders === 0) throw new Error('a buffer was released more often than retained')
        if (--holders === 0) this.#giveBack(whole)
      }
    }
  }

  /** The smallest that fits, up to twice the size: answers differ in length, and a page not touched before costs more than an idle one. */
  #take(size: number): Buffer {
    if (this.#idleBytes > 0 && size >= smallestPooledBytes)
      for (let fit = size; fit <= 2 * size && fit <= largestPooledBytes; fit = sizeClass(fit + 1)) {
        const shelf = this.#idle.get(fit)
        const found = shelf?.pop()
        if (shelf === undefined || found === undefined) continue
        // To the end: what nobody asks for goes first.
        this.#idle.delete(fit)
        this.#idle.set(fit, shelf)
        this.#idleBytes -= fit
        return found
      }
    return Buffer.allocUnsafeSlow(size)
  }

  #giveBack(whole: Buffer): void {
    const size = whole.length
    this.#leases--
    this.#heldBytes -= size
    if (size < smallestPooledBytes || size > largestPooledBytes || size > this.#maxIdleBytes) return
    this.#makeRoom(size)
    const shelf = this.#idle.get(size)
    if (shelf === undefined) this.#idle.set(size, [whole])
    else shelf.push(whole)
    this.#idleBytes += size
  }

  /** Sizes that were not asked for in a long time make room, so that the pool never fills up with what is of no use. */
  #makeRoom(size: number): void {
    for (const [idleSize, shelf] of this.#idle) {
      while (this.#idleBytes + size > this.#maxIdleBytes && shelf.pop() !== undefined) this.#idleBytes -= idleSize
      if (shelf.length > 0) return
      this.#idle.delete(idleSize)
    }
  }
}

/** The same lease, counted until its last release. */
export function metered(lease: Lease, meter: Meter): Lease {
  const { bytes, heldBytes } = lease
  meter.hold(heldBytes)
  let holders = 1
  return {
    bytes,
    heldBytes,
    retain: () => {
      lease.retain()
      holders++
    },
    release: () => {
      lease.release()
      if (--holders === 0) meter.free(heldBytes)
    }
  }
}

/** Next of 64, 80, 96, 112, 128, 160 … KiB. Outside the pooled range: the size itself. */
export function sizeClass(size: number): number {
  if (size < smallestPooledBytes || size > largestPooledBytes) return size
  const step = 2 ** Math.floor(Math.log2(size)) / 4
  return Math.ceil(size / step) * step
}
