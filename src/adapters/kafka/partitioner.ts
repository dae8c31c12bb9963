/**
 * Chooses partitions as Java's producer does, so that records of one key lie together whoever wrote them: murmur2 of the
 * key's bytes for records with a key (an empty one is a key), turns for those without.
 */
export class Partitioner {
  #turn: number

  /** `chance`: 0 (included) to 1 (excluded). Where to begin, so that many short-lived producers do not all begin at 0. */
  constructor(chance: number) {
    this.#turn = Math.floor(chance * 0x4000_0000)
  }

  /** `count`: partitions of the topic. `led`: those that have a leader now, for records that may lie anywhere. */
  choose(key: Buffer | null, count: number, led: readonly number[]): number {
    if (key !== null) return (murmur2(key) & 0x7fff_ffff) % count
    const turn = this.#turn++
    return led[turn % led.length] ?? turn % count
  }
}

const multiplier = 0x5bd1_e995

/** Kafka's variant of MurmurHash2, as a signed 32-bit number. Source: `Utils.murmur2` of Apache Kafka's clients. */
export function murmur2(bytes: Buffer): number {
  const { length } = bytes
  const whole = length & ~3
  let hash = 0x9747_b28c ^ length
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  const left = length - whole
  if (left > 0) {
    hash ^= bytes.readUIntLE(whole, left)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
