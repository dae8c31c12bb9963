import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { readTopic } from '../../../src/adapters/kafka/topic-reader.ts'
import { silentLog } from '../../../src/adapters/log/silent.ts'
import { decodeProgress } from '../../../src/core/offsets/metadata.ts'
import type { Progress } from '../../../src/core/offsets/progress.ts'
import { column, type Block } from '../../../src/core/record.ts'

const offsetsTopic = '__consumer_offsets'
const readTimeoutMs = 60_000

/** One commit as the coordinator wrote it down. */
export interface GroupCommit {
  readonly topic: string
  readonly partition: number
  /** Everything below it is finished, says who committed. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  /** What Millrace says in the metadata; undefined when it is empty or somebody else's. */
  readonly progress: Progress | undefined
  /** When the coordinator took it: milliseconds since 1970, by the broker's clock. */
  readonly atMs: number
  /** Where it lies in `__consumer_offsets`. */
  readonly position: { readonly partition: number; readonly offset: number }
}

/**
 * Every commit that the group ever made, oldest first; a group has one coordinator, so all lie in one partition and come in
 * its order. Deletions of offsets are left out. Only of a topic whose cleaner has not run: a compacted one keeps the newest.
 */
export async function groupCommits(bootstrapServers: readonly string[], groupId: string): Promise<GroupCommit[]> {
  const commits: GroupCommit[] = []
  const options = { cluster: { bootstrapServers }, clientId: 'test', topic: offsetsTopic } as const
  const signal = AbortSignal.timeout(readTimeoutMs)
  const reading = readTopic(
    { ...options, from: 'earliest', follow: false, signal },
    { clock: systemClock, log: silentLog }
  )
  for await (const block of reading) {
    for (let row = 0; row < block.count; row++) {
      const commit = decodeCommit(block, row, groupId)
      if (commit !== undefined) commits.push(commit)
    }
    block.finish(block.count)
  }
  if (signal.aborted) throw new Error(`${offsetsTopic} was not read within ${readTimeoutMs} ms`)
  return commits
}

function decodeCommit(block: Block, row: number, groupId: string): GroupCommit | undefined {
  const keyBytes = bytesOf(block, row, column.keyStart, column.keyEnd)
  const valueBytes = bytesOf(block, row, column.valueStart, column.valueEnd)
  if (keyBytes === undefined || valueBytes === undefined) return undefined
  const key = new Reader(keyBytes)
  // Versions 0 and 1 are commits, all others what the coordinator remembers of groups and members.
  if (key.int16() > 1) return undefined
  if (key.string() !== groupId) return undefined
  const [topic, partition] = [key.string(), key.int32()]
  const value = new Reader(valueBytes)
  const version = value.int16()
  if (version < 1 || version > 4)
    throw new Error(`${offsetsTopic} has a commit of version ${version}: 1 to 4 are known`)
  const offset = Number(value.int64())
  const leaderEpoch = version >= 3 ? value.int32() : -1
  const metadata = version >= 4 ? value.compactString() : value.string()
  return {
    topic,
    partition,
    offset,
    leaderEpoch,
    metadata,
    progress: decodeProgress(metadata, offset),
    atMs: Number(value.int64()),
    position: { partition: block.partition, offset: block.offsets[row]! }
  }
}

function bytesOf({ bytes, positions }: Block, row: number, from: number, to: number): Buffer | undefined {
  const start = positions[row * column.stride + from]!
  return start < 0 ? undefined : bytes.subarray(start, positions[row * column.stride + to])
}

/** Kafka's primitive types, one after the other. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8))
  }

  string(): string {
    return this.#text(this.int16())
  }

  compactString(): string {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#advance(1))
      length |= (byte & 127) << shift
      if (byte < 128) return this.#text(length - 1)
    }
  }

  #text(length: number): string {
    const from = this.#advance(length)
    return this.#bytes.toString('utf8', from, from + length)
  }

  #advance(bytes: number): number {
    const from = this.#at
    this.#at += bytes
    return from
  }
}
