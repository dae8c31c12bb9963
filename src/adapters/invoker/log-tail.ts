/** As much as AWS gives back of a call's log. */
const maxBytes = 4_096

/** The last of what one call of a function logged, for callers that ask for it (`X-Amz-Log-Type: Tail`). */
export class LogTail {
  readonly #lines: Buffer[] = []
  #bytes = 0

  line(text: string): void {
    const line = Buffer.from(`${text}\n`)
    this.#lines.push(line)
    this.#bytes += line.byteLength
    // Whole lines go as soon as the rest is enough by itself.
    for (let first = this.#lines[0]; first && this.#bytes - first.byteLength >= maxBytes; first = this.#lines[0]) {
      this.#lines.shift()
      this.#bytes -= first.byteLength
    }
  }

  /** In base64, as the header `X-Amz-Log-Result` carries it. */
  toBase64(): string {
    return Buffer.concat(this.#lines).subarray(-maxBytes).toString('base64')
  }
}
