import { MalformedRequest } from './wire-reader.ts'

/** Kafka's socket.request.max.bytes. */
export const maxFrameBytes = 100 * 1024 * 1024
/** API key, version and correlation id: what the shortest request has. */
const minFrameBytes = 8

/** Cuts a stream of bytes into frames: four bytes of length, then as many bytes. */
export class FrameSplitter {
  readonly #length = Buffer.alloc(4)
  #lengthBytes = 0
  #frame: Buffer | undefined
  #filled = 0

  /** The frames that `chunk` completes. Throws MalformedRequest on a length that no request has. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#lengthBytes < 4) {
        this.#length[this.#lengthBytes++] = chunk[at++]!
        if (this.#lengthBytes === 4) this.#begin()
        continue
      }
      if (this.#frame === undefined) {
        const size = this.#size()
        if (chunk.length - at >= size) {
          // Whole inside this chunk: a view will do.
          frames.push(chunk.subarray(at, at + size))
          at += size
          this.#lengthBytes = 0
          continue
        }
        this.#frame = Buffer.allocUnsafeSlow(size)
        this.#filled = 0
      }
      const copied = chunk.copy(this.#frame, this.#filled, at)
      at += copied
      this.#filled += copied
      if (this.#filled === this.#frame.length) {
        frames.push(this.#frame)
        this.#frame = undefined
        this.#lengthBytes = 0
      }
    }
    return frames
  }

  #size(): number {
    return this.#length.readInt32BE()
  }

  #begin(): void {
    const size = this.#size()
    if (size >= minFrameBytes && size <= maxFrameBytes) return
    throw new MalformedRequest(`a frame of ${size} bytes; allowed are ${minFrameBytes} to ${maxFrameBytes}`)
  }
}
