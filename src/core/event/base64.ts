const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Two output characters for each 12 input bits, little-endian, so that one 32-bit store writes a quad. */
const pairs = new Uint16Array(4096)
for (let bits = 0; bits < 4096; bits++) {
  pairs[bits] = alphabet.charCodeAt(bits >> 6) | (alphabet.charCodeAt(bits & 63) << 8)
}

/** From here on the native encoder wins, although it makes a string (docs/performance.md). */
const nativeFrom = 256
const padding = 61

/** What `toString` and `write` call when they have read their arguments, which takes a tenth of all encoding. */
interface NativeBuffer {
  latin1Write(text: string, at: number): number
  base64Slice(from: number, to: number): string
}
const native = (buffer: Buffer): NativeBuffer => buffer as unknown as NativeBuffer

export const base64Bytes = (length: number): number => Math.trunc((length + 2) / 3) * 4

/**
 * Writes bytes `from` to `to` of `source` as padded standard base64 at `at`; returns where it ends. `input` is a view over
 * `source`, `output` over `out`.
 */
export function writeBase64(
  source: Buffer,
  input: DataView,
  from: number,
  to: number,
  out: Buffer,
  output: DataView,
  at: number
): number {
  const length = to - from
  if (length >= nativeFrom) return at + native(out).latin1Write(native(source).base64Slice(from, to), at)
  const rest = length % 3
  const whole = to - rest
  // Six bytes are two loads and two stores.
  const sixes = whole - 5
  for (; from < sixes; from += 6, at += 8) {
    const high = input.getInt32(from)
    const low = input.getUint16(from + 4)
    output.setInt32(at, pairs[high >>> 20]! | (pairs[(high >>> 8) & 4095]! << 16), true)
    output.setInt32(at + 4, pairs[((high & 255) << 4) | (low >>> 12)]! | (pairs[low & 4095]! << 16), true)
  }
  if (from < whole) {
    const word = (source[from]! << 16) | (source[from + 1]! << 8) | source[from + 2]!
    output.setInt32(at, pairs[word >> 12]! | (pairs[word & 4095]! << 16), true)
    from += 3
    at += 4
  }
  if (rest === 0) return at
  const word = rest === 1 ? source[from]! << 4 : (source[from]! << 16) | (source[from + 1]! << 8)
  if (rest === 1) {
    output.setInt32(at, pairs[word]! | (padding << 16) | (padding << 24), true)
  } else {
    output.setInt32(at, pairs[word >> 12]! | (((pairs[word & 4095]! & 0xff) | (padding << 8)) << 16), true)
  }
  return at + 4
}
