/** What happened, as a hash that tells two runs apart, and as lines for people when they are asked for. */
export class Trace {
  #hash = 0x811c9dc5
  readonly lines: string[] = []
  readonly #keepsLines: boolean
  readonly #nowMs: () => number

  constructor(nowMs: () => number, keepsLines: boolean) {
    this.#nowMs = nowMs
    this.#keepsLines = keepsLines
  }

  note(who: string, what: string, ...numbers: readonly number[]): void {
    this.#mixText(who)
    this.#mixText(what)
    this.#mix(this.#nowMs())
    for (const number of numbers) this.#mix(number)
    if (this.#keepsLines) {
      this.lines.push(`${this.#nowMs().toFixed(0).padStart(7)} ms  ${who.padEnd(8)} ${what} ${numbers.join(' ')}`)
    }
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  #mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
  }

  #mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ (number | 0), 0x01000193)
  }
}
