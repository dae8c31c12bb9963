import { addressDigits, maxAddressLength, type AddressRange } from './address.ts'

/** Which bytes addresses are made of. */
const addressBytes = new Uint8Array(256)
for (const letter of '0123456789abcdefABCDEF:.') addressBytes[letter.charCodeAt(0)] = 1

/** Ranges of addresses, for strings in bytes. */
export class AddressSet {
  readonly #ranges: readonly AddressRange[]

  constructor(ranges: readonly AddressRange[]) {
    this.#ranges = ranges
  }

  has(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from < 2 || to - from > maxAddressLength) return false
    for (let at = from; at < to; at++) if (addressBytes[bytes[at]!] === 0) return false
    const digits = addressDigits(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1'))
    return (
      digits !== undefined &&
      this.#ranges.some(({ low, high }) => digits.length === low.length && digits >= low && digits <= high)
    )
  }
}
