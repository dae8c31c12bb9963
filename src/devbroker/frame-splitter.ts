import { MalformedRequest } from './wire-reader.ts'

/** Kafka's socket.request.max.bytes. */
export const maxFrameBytes = 100 * 1024 * 1024
/** API key, version and correlation id: what the shortest request has. */
const minRequestBytes = 8

/**
 * Cuts a stream of bytes into frames: four bytes of length, then as many bytes. What a length claims is not allocated;
 * memory is taken by bytes that came.
 */
export class FrameSplitter {
  readonly #minBytes: number
  readonly #length = Buffer.alloc(4)
  #lengthBytes = 0
  #parts: Buffer[] = []
  #missing = 0

  /** `minBytes` is what the shortest frame has: eight for requests, less for answers. */
  constructor(minBytes = minRequestBytes) {
    this.#minBytes = minBytes
  }

  /** The frames that `chunk` completes. Throws MalformedRequest on a length that no request has. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#lengthBytes < 4) {
        this.#length[this.#lengthBytes++] = chunk[at++]!
        if (this.#lengthBytes === 4) this.#missing = this.#size()
        continue
      }
      const part = chunk.subarray(at, at + this.#missing)
      at += part.length
      this.#missing -= part.length
      this.#parts.push(part)
      if (this.#missing > 0) continue
      // Whole inside one chunk: a view will do.
      frames.push(this.#parts.length === 1 ? part : Buffer.concat(this.#parts))
      this.#parts = []
      this.#lengthBytes = 0
    }
    return frames
  }

  #size(): number {
    const size = this.#length.readInt32BE()
    if (size >= this.#minBytes && size <= maxFrameBytes) return size
    throw new MalformedRequest(`a frame of ${size} bytes; allowed are ${this.#minBytes} to ${maxFrameBytes}`)
  }
}
