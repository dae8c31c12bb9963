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

  #take(size: number): Buffer {
    const found = this.#idle.get(size)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(size)
    this.#idleBytes -= size
    return found
  }

  #giveBack(whole: Buffer): void {
    const size = whole.length
    this.#leases--
    this.#heldBytes -= size
    const pooled = size >= smallestPooledBytes && size <= largestPooledBytes
    if (!pooled || this.#idleBytes + size > this.#maxIdleBytes) return
    const shelf = this.#idle.get(size)
    if (shelf === undefined) this.#idle.set(size, [whole])
    else shelf.push(whole)
    this.#idleBytes += size
  }
}

/** Next of 64, 80, 96, 112, 128, 160 … KiB. Outside the pooled range: the size itself. */
export function sizeClass(size: number): number {
  if (size < smallestPooledBytes || size > largestPooledBytes) return size
  const step = 2 ** Math.floor(Math.log2(size)) / 4
  return Math.ceil(size / step) * step
}
