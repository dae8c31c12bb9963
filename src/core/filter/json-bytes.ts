/** JSON in UTF-8, looked at byte by byte: what is taken and refused is the same as by `JSON.parse`, and bad UTF-8 is refused. */

/** Bytes of a string that need no second look: ASCII but quotes, backslashes and control characters. */
const plain = new Uint8Array(256).fill(1, 32, 128)
plain[34] = 0
plain[92] = 0
/** What may follow a backslash, but `u`. */
const escapes = new Uint8Array(256)
for (const [letter, code] of Object.entries({ '"': 34, '\\': 92, '/': 47, b: 8, f: 12, n: 10, r: 13, t: 9 }))
  escapes[letter.charCodeAt(0)] = code
const hexValue = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
  hexValue[value.toString(16).charCodeAt(0)] = value
  hexValue[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/**
 * Where the string whose first byte after the quote is at `at` ends: position of the closing quote times 2, plus 1 when it
 * has escapes; -1 when it is none. `view` is over `bytes`.
 */
export function stringEnd(bytes: Uint8Array, view: DataView, at: number, end: number): number {
  if (at < end && bytes[at] === 34) return at * 2
  let escaped = 0
  for (;;) {
    // Four bytes at a time while all are plain: each term has the high bit of a byte set that is less than 32, a quote,
    // a backslash, or not ASCII. Borrows can only set bits above one that is rightly set, so the lowest is right.
    while (at + 4 <= end) {
      const word = view.getInt32(at, true)
      const quote = word ^ 0x22222222
      const slash = word ^ 0x5c5c5c5c
      const found =
        (word | ((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((slash - 0x01010101) & ~slash)) &
        0x80808080
      if (found !== 0) {
        at += (31 - Math.clz32(found & -found)) >> 3
        break
      }
      at += 4
    }
    while (at < end && plain[bytes[at]!] === 1) at++
    if (at >= end) return -1
    const byte = bytes[at]!
    if (byte === 34) return at * 2 + escaped
    if (byte === 92) {
      escaped = 1
      // Where one is there are more.
      do at = escapeEnd(bytes, at, end)
      while (at > 0 && at < end && bytes[at] === 92)
    } else at = byte < 0x80 ? -1 : sequencesEnd(bytes, at, end)
    if (at < 0) return -1
  }
}

function escapeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return -1
  const letter = bytes[at + 1]!
  if (escapes[letter] !== 0) return at + 2
  if (letter !== 117 || at + 6 > end) return -1
  return hex4(bytes, at + 2) < 0 ? -1 : at + 6
}

/** Negative when one of the four is no digit. */
function hex4(bytes: Uint8Array, at: number): number {
  const a = hexValue[bytes[at]!]!
  const b = hexValue[bytes[at + 1]!]!
  const c = hexValue[bytes[at + 2]!]!
  const d = hexValue[bytes[at + 3]!]!
  return (a | b | c | d) < 0 ? -1 : (a << 12) | (b << 8) | (c << 4) | d
}

/** One past a well-formed sequence of two to four bytes (Unicode table 3-7), or -1. */
function sequenceEnd(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return -1
  const second = bytes[at + 1]!
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return -1
  for (let next = at + 2; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return -1
  return at + length
}

/** One past all well-formed sequences that follow, or -1. The commonest kind of three bytes is looked at here. */
function sequencesEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! >= 0x80) {
    const first = bytes[at]!
    if (at + 1 < end && first >= 0xc2 && first < 0xe0 && (bytes[at + 1]! & 0xc0) === 0x80) at += 2
    else if (
      at + 2 < end &&
      first > 0xe0 &&
      first < 0xed &&
      (bytes[at + 1]! & 0xc0) === 0x80 &&
      (bytes[at + 2]! & 0xc0) === 0x80
    )
      at += 3
    else {
      at = sequenceEnd(bytes, at, end)
      if (at < 0) return -1
    }
  }
  return at
}

/** Is all of it well-formed UTF-8? */
export function isUtf8(bytes: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    if (bytes[at]! < 0x80) at++
    else {
      at = sequencesEnd(bytes, at, end)
      if (at < 0) return false
    }
  }
  return true
}

/**
 * Writes a valid string without its escapes; returns how many bytes, never more than it had. Half a surrogate pair becomes
 * three bytes that no valid UTF-8 contains, so it equals nothing but itself.
 */
export function unescape(bytes: Uint8Array, at: number, end: number, out: Uint8Array): number {
  let to = 0
  while (at < end) {
    const byte = bytes[at]!
    if (byte !== 92) {
      out[to++] = byte
      at++
      continue
    }
    const letter = bytes[at + 1]!
    if (letter !== 117) {
      out[to++] = escapes[letter]!
      at += 2
      continue
    }
    let code = hex4(bytes, at + 2)
    at += 6
    if (code >= 0xd800 && code < 0xdc00 && at + 6 <= end && bytes[at] === 92 && bytes[at + 1] === 117) {
      const low = hex4(bytes, at + 2)
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
        at += 6
      }
    }
    to = writeUtf8(code, out, to)
  }
  return to
}

function writeUtf8(code: number, out: Uint8Array, at: number): number {
  if (code < 0x80) {
    out[at] = code
    return at + 1
  }
  const length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  for (let next = at + length - 1; next > at; next--, code >>= 6) out[next] = 0x80 | (code & 63)
  out[at] = ((0xf00 >> length) & 0xff) | code
  return at + length
}

/** One past a number, or -1. */
export function numberEnd(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 45) at++
  if (at < end && bytes[at] === 48) at++
  else {
    at = digitsEnd(bytes, at, end)
    if (at < 0) return -1
  }
  if (at < end && bytes[at] === 46) {
    at = digitsEnd(bytes, at + 1, end)
    if (at < 0) return -1
  }
  if (at < end && (bytes[at]! | 32) === 101) {
    at++
    if (at < end && (bytes[at] === 43 || bytes[at] === 45)) at++
    at = digitsEnd(bytes, at, end)
  }
  return at
}

/** One past at least one digit, or -1. */
function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  const from = at
  while (at < end && bytes[at]! >= 48 && bytes[at]! <= 57) at++
  return at === from ? -1 : at
}

/** Which of `true`, `false`, `null` stands here: 0, 1, 2, or -1. `view` is over the bytes. */
export function literalAt(view: DataView, at: number, end: number): number {
  if (at + 4 > end) return -1
  const word = view.getInt32(at, true)
  if (word === 0x65757274) return 0
  if (word === 0x6c6c756e) return 2
  return word === 0x736c6166 && at + 5 <= end && view.getUint8(at + 4) === 101 ? 1 : -1
}

export const literalLength = (which: number): number => (which === 1 ? 5 : 4)
