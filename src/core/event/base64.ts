const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Two output characters for each 12 input bits, little-endian, so that one 32-bit store writes a quad. */
const pairs = new Uint16Array(4096)
for (let bits = 0; bits < 4096; bits++) {
  pairs[bits] = alphabet.charCodeAt(bits >> 6) | (alphabet.charCodeAt(bits & 63) << 8)
}

/** From here on the native encoder wins, although it makes a string (docs/performance.md). */
const nativeFrom = 512
const padding = 61

export const base64Bytes = (length: number): number => Math.trunc((length + 2) / 3) * 4

/** Writes bytes `from` to `to` of `source` as padded standard base64 at `at`; returns where it ends. `view` is over `out`. */
export function writeBase64(source: Buffer, from: number, to: number, out: Buffer, view: DataView, at: number): number {
  const length = to - from
  if (length >= nativeFrom) return at + out.write(source.toString('base64', from, to), at, 'latin1')
  const rest = length % 3
  const whole = to - rest
  for (; from < whole; from += 3, at += 4) {
    const word = (source[from]! << 16) | (source[from + 1]! << 8) | source[from + 2]!
    view.setInt32(at, pairs[word >> 12]! | (pairs[word & 4095]! << 16), true)
  }
  if (rest === 0) return at
  const word = rest === 1 ? source[from]! << 4 : (source[from]! << 16) | (source[from + 1]! << 8)
  if (rest === 1) {
    view.setInt32(at, pairs[word]! | (padding << 16) | (padding << 24), true)
  } else {
    view.setInt32(at, pairs[word >> 12]! | (((pairs[word & 4095]! & 0xff) | (padding << 8)) << 16), true)
  }
  return at + 4
}
