import type { GiveUp, OffsetRange, Piece, Progress } from './progress.ts'

/**
 * How progress is written into a commit's metadata; docs/reference/commit-metadata.md describes it for others.
 * `millrace1:` and base64url of varints: offset, pieces, what is done as runs or as bits, whichever is shorter, then the
 * leader epoch, if it is known.
 */
const prefix = 'millrace1:'

/** Brokers take this many bytes unless told otherwise (`offset.metadata.max.bytes`). */
export const maxMetadataBytes = 4_096

const conditions = ['retries', 'size', 'age'] as const
const functionErrors = [null, 'Unhandled', 'Handled'] as const
const doneAs = { nothing: 0, runs: 1, bits: 2 } as const

/** Empty when there is nothing to say beyond the offset. May pass `maxMetadataBytes`: the caller holds work back before. */
export function encodeProgress({ offset, pieces, done, leaderEpoch }: Progress): string {
  if (pieces.length === 0 && done.length === 0) return ''
  const out: number[] = []
  putVarint(out, offset)
  putVarint(out, pieces.length)
  let at = offset
  for (const { first, next, failures, giveUp } of pieces) {
    putVarint(out, first - at)
    putVarint(out, next - first)
    putVarint(out, failures)
    putGiveUp(out, giveUp)
    at = next
  }
  for (const byte of encodeDone(offset, done)) out.push(byte)
  if (leaderEpoch !== undefined) putVarint(out, leaderEpoch)
  return prefix + Buffer.from(out).toString('base64url')
}

/** Undefined for what others wrote, what is damaged, and what belongs to another offset than `offset`. */
export function decodeProgress(metadata: string | null | undefined, offset: number): Progress | undefined {
  if (!metadata?.startsWith(prefix)) return undefined
  try {
    const reader = new Reader(Buffer.from(metadata.slice(prefix.length), 'base64url'))
    if (reader.varint() !== offset) return undefined
    const pieces: Piece[] = []
    let at = offset
    for (let count = reader.count(); count > 0; count--) {
      const first = at + reader.varint()
      const next = first + reader.varint()
      const failures = reader.varint()
      const giveUp = readGiveUp(reader)
      if (next <= first || !Number.isSafeInteger(next)) throw new RangeError('a piece without offsets')
      pieces.push({ first, next, failures, ...(giveUp === undefined ? {} : { giveUp }) })
      at = next
    }
    const done = readDone(reader, offset)
    return { offset, pieces, done, ...(reader.ended ? {} : { leaderEpoch: reader.varint() }) }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function putGiveUp(out: number[], giveUp: GiveUp | undefined): void {
  if (giveUp === undefined) {
    out.push(0)
    return
  }
  const { condition, requestId, response } = giveUp
  out.push(1 + conditions.indexOf(condition))
  putText(out, requestId)
  out.push(response === undefined ? 0 : 1 + Math.max(0, functionErrors.indexOf(response.functionError as null)))
  if (response !== undefined) putText(out, response.executedVersion)
}

function readGiveUp(reader: Reader): GiveUp | undefined {
  const kind = reader.varint()
  if (kind === 0) return undefined
  const condition = conditions[kind - 1]
  if (condition === undefined) throw new RangeError('an unknown condition')
  const requestId = reader.text()
  const answered = reader.varint()
  if (answered === 0) return { condition, requestId }
  const functionError = functionErrors[answered - 1]
  if (functionError === undefined) throw new RangeError('an unknown function error')
  return { condition, requestId, response: { executedVersion: reader.text(), functionError } }
}

function encodeDone(offset: number, done: readonly OffsetRange[]): number[] {
  if (done.length === 0) return [doneAs.nothing]
  const runs: number[] = [doneAs.runs]
  putVarint(runs, done.length)
  let at = offset
  for (const { first, next } of done) {
    putVarint(runs, first - at)
    putVarint(runs, next - first)
    at = next
  }
  const bitsBytes = Math.ceil((at - offset) / 8)
  if (bitsBytes >= runs.length) return runs
  const bits = Buffer.alloc(bitsBytes)
  for (const { first, next } of done)
    for (let bit = first - offset; bit < next - offset; bit++) bits[bit >> 3]! |= 1 << (bit & 7)
  const out: number[] = [doneAs.bits]
  putVarint(out, bits.length)
  out.push(...bits)
  return out
}

function readDone(reader: Reader, offset: number): OffsetRange[] {
  const done: OffsetRange[] = []
  const kind = reader.varint()
  if (kind === doneAs.runs) {
    let at = offset
    for (let count = reader.count(); count > 0; count--) {
      const first = at + reader.varint()
      at = first + reader.varint()
      done.push({ first, next: at })
    }
  } else if (kind === doneAs.bits) {
    const bits = reader.bytes(reader.count())
    let first = -1
    for (let bit = 0; bit <= bits.length * 8; bit++) {
      const isDone = ((bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0
      if (isDone && first < 0) first = bit
      else if (!isDone && first >= 0) {
        done.push({ first: offset + first, next: offset + bit })
        first = -1
      }
    }
  } else if (kind !== doneAs.nothing) throw new RangeError('an unknown form of what is done')
  return done
}

/** Seven bits a byte, the low ones first; up to 2^53. */
function putVarint(out: number[], value: number): void {
  while (value > 127) {
    out.push((value % 128) | 128)
    value = Math.floor(value / 128)
  }
  out.push(value)
}

function putText(out: number[], text: string): void {
  const bytes = Buffer.from(text)
  putVarint(out, bytes.length)
  out.push(...bytes)
}

/** Bytes that `putVarint` takes. */
export function varintBytes(value: number): number {
  let bytes = 1
  for (let bound = 128; value >= bound; bound *= 128) bytes++
  return bytes
}

/** Throws RangeError where the text ends early or claims what cannot be. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined || scale > 2 ** 49) throw new RangeError('the metadata ends early')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  /** A number of things of which each takes a byte at least. */
  count(): number {
    const count = this.varint()
    if (count > this.#bytes.length - this.#at) throw new RangeError('the metadata ends early')
    return count
  }

  bytes(length: number): Buffer {
    const from = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw new RangeError('the metadata ends early')
    return this.#bytes.subarray(from, this.#at)
  }

  text(): string {
    return this.bytes(this.count()).toString('utf8')
  }
}
