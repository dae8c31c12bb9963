/**
 * Header values are lists of signed bytes, as Java's `byte[]` prints (reference 2.3). By byte: its text, filled up to four
 * characters, as one little-endian word; and how many of them count.
 */
const signedText = new Int32Array(256)
const signedLength = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  const text = String(byte > 127 ? byte - 256 : byte)
  signedText[byte] = Buffer.from(text.padEnd(4)).readInt32LE()
  signedLength[byte] = text.length
}

/** JSON text of header names, kept because topics repeat a handful of them; bounded, as names are the producer's. */
const names = new Map<string, Buffer>()
const maxNames = 1_000

/** Reads a varint; `cursor.at` moves. One cursor a thread: cheaper than returning pairs. */
const cursor = { at: 0 }

function varint(bytes: Buffer): number {
  let value = 0
  let shift = 1
  for (;;) {
    const byte = bytes[cursor.at++]!
    value += (byte & 0x7f) * shift
    if (byte < 0x80) break
    shift *= 128
  }
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2
}

function nameJson(bytes: Buffer, from: number, to: number): Buffer {
  const raw = bytes.toString('latin1', from, to)
  let json = names.get(raw)
  if (json === undefined) {
    json = Buffer.from(JSON.stringify(bytes.toString('utf8', from, to)))
    if (names.size < maxNames && raw.length <= 256) names.set(raw, json)
  }
  return json
}

/**
 * Writes the members of a record's header list at `at` (without its brackets); returns where it ends. A null value is `[]`
 * (reference 2.3). `view` is over `out`, in which three bytes more may be written: there must be more to come.
 */
export function writeHeaders(bytes: Buffer, position: number, out: Buffer, view: DataView, at: number): number {
  cursor.at = position
  const count = varint(bytes)
  for (let header = 0; header < count; header++) {
    if (header > 0) out[at++] = 44
    out[at++] = 123
    const nameLength = varint(bytes)
    const name = nameJson(bytes, cursor.at, cursor.at + nameLength)
    cursor.at += nameLength
    out.set(name, at)
    at += name.length
    out[at++] = 58
    out[at++] = 91
    const valueLength = varint(bytes)
    const end = cursor.at + Math.max(0, valueLength)
    for (let from = cursor.at; from < end; from++) {
      const byte = bytes[from]!
      view.setInt32(at, signedText[byte]!, true)
      at += signedLength[byte]!
      out[at++] = 44
    }
    // The list ends where its last comma would be.
    if (valueLength > 0) at--
    cursor.at = end
    out[at++] = 93
    out[at++] = 125
  }
  return at
}

/** How many bytes `writeHeaders` would write. */
export function headersJsonBytes(bytes: Buffer, position: number): number {
  cursor.at = position
  const count = varint(bytes)
  let total = Math.max(0, count - 1)
  for (let header = 0; header < count; header++) {
    const nameLength = varint(bytes)
    total += nameJson(bytes, cursor.at, cursor.at + nameLength).length + 5
    cursor.at += nameLength
    const valueLength = Math.max(0, varint(bytes))
    total += Math.max(0, valueLength - 1)
    for (let from = cursor.at; from < cursor.at + valueLength; from++) total += signedLength[bytes[from]!]!
    cursor.at += valueLength
  }
  return total
}
