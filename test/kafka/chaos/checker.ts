import type { GroupCommit } from '../../support/kafka/group-commits.ts'
import type { CallEntry, EventEntry, History } from './history.ts'
import { place } from './history.ts'

/** Clocks have whole milliseconds, and the coordinator reads its own before it writes. */
const clockSlackMs = 5
/** What a process finished in this time before its end may not have been committed: the interval, and the way to a busy Kafka. */
const commitIntervalMs = 1_000
const commitSlackMs = 1_000
const shownCommits = 3

export interface Verdict {
  /** Empty when every promise was kept. */
  readonly violations: readonly string[]
  /** Records that came again, by the event that explains them. */
  readonly repeats: ReadonlyMap<EventEntry, number>
  readonly commits: number
  readonly records: number
}

/** One delivery that succeeded, or may have. */
interface Delivery {
  /** Undefined: the foreign member. */
  readonly call: CallEntry | undefined
  readonly beganMs: number
  readonly endedMs: number
}

/**
 * Holds a run against its promises:
 *
 * - lost: every record that Kafka shows was processed
 * - phantom, aborted: nothing else was
 * - order: no record is delivered before all before it in its partition are done
 * - overlap: no two calls of a partition run at the same time
 * - ahead: no commit, and no progress in its metadata, says done of what was not done at the time
 * - back: no commit falls behind an earlier one
 * - repeat: what comes twice was in the hands of a process that was killed or frozen, or that left while a broker was
 *   killed: in flight at that moment, or finished in the last commit interval before it. What the foreign member
 *   printed and did not commit comes again, too
 */
export function check(history: History): Verdict {
  return new Checker(history).check()
}

class Checker {
  readonly #history: History
  readonly #violations: string[] = []
  readonly #repeats = new Map<EventEntry, number>()
  readonly #deliveries = new Map<string, Delivery[]>()

  constructor(history: History) {
    this.#history = history
  }

  check(): Verdict {
    this.#collect()
    this.#checkLoss()
    this.#checkOrder()
    this.#checkCommits()
    this.#checkRepeats()
    const { log, commits } = this.#history
    const records = [...log.values()].reduce((sum, offsets) => sum + offsets.length, 0)
    return { violations: this.#violations, repeats: this.#repeats, commits: commits.length, records }
  }

  #collect(): void {
    for (const { partition, offset } of this.#history.printed) {
      this.#note(place(partition, offset), { call: undefined, beganMs: -Infinity, endedMs: -Infinity })
    }
    for (const call of this.#history.calls) {
      const endedMs = call.end?.atMs ?? Infinity
      if (call.end?.state === 'failed') continue
      for (const at of placesOf(call)) {
        if (!call.failed.has(at)) this.#note(at, { call, beganMs: call.beganMs, endedMs })
      }
    }
  }

  #note(at: string, delivery: Delivery): void {
    const deliveries = this.#deliveries.get(at)
    if (deliveries === undefined) this.#deliveries.set(at, [delivery])
    else deliveries.push(delivery)
  }

  #checkLoss(): void {
    const { log, acknowledged, aborted } = this.#history
    const visible = new Set([...log].flatMap(([partition, offsets]) => offsets.map(offset => place(partition, offset))))
    for (const at of visible) if (this.#doneMs(at) === Infinity) this.#violate('lost', at)
    for (const at of this.#deliveries.keys()) if (!visible.has(at)) this.#violate('phantom', at)
    for (const at of aborted) if (this.#deliveries.has(at)) this.#violate('aborted', at)
    // Not a promise of ours, but without it the others mean little.
    for (const at of acknowledged) if (!visible.has(at)) this.#violate('Kafka lost', at)
  }

  /** When it was done for the first time; Infinity: never. The foreign member's are its own affair from the beginning. */
  #doneMs(at: string): number {
    const times = (this.#deliveries.get(at) ?? [])
      .filter(({ call }) => call === undefined || call.end?.state === 'returned')
      .map(({ endedMs }) => endedMs)
    return Math.min(...times, Infinity)
  }

  #checkOrder(): void {
    for (const [partition, offsets] of this.#history.log) {
      const calls = this.#history.calls.filter(({ records }) => records.has(partition))
      const done = offsets.map(offset => this.#doneMs(place(partition, offset)))
      let running: CallEntry | undefined
      // Everything below is done by now.
      let due = 0
      for (const call of calls) {
        if (running !== undefined && (running.end?.atMs ?? Infinity) > call.beganMs)
          this.#violate('overlap', `partition ${partition}: call ${call.number} began in ${running.number}`)
        running = call
        while (due < offsets.length && done[due]! <= call.beganMs) due++
        const own = call.records.get(partition)!
        if (own.some((offset, at) => at > 0 && offset <= own[at - 1]!))
          this.#violate('order', `partition ${partition}: call ${call.number} has ${own.join()}`)
        const last = own.at(-1)!
        for (let at = due; at < offsets.length && offsets[at]! < last; at++) {
          const offset = offsets[at]!
          if (done[at]! <= call.beganMs || own.includes(offset)) continue
          this.#violate('order', `partition ${partition}: call ${call.number} has ${last}, but ${offset} was not done`)
          break
        }
      }
    }
  }

  #checkCommits(): void {
    const newest = new Map<number, number>()
    // When everything up to an offset was done.
    const doneUpTo = new Map(
      [...this.#history.log].map(([partition, offsets]) => {
        let latest = -Infinity
        return [partition, offsets.map(offset => (latest = Math.max(latest, this.#doneMs(place(partition, offset)))))]
      })
    )
    for (const { partition, offset, progress, atMs } of this.#history.commits) {
      const offsets = this.#history.log.get(partition) ?? []
      const below = offsets.findLastIndex(each => each < offset)
      const commit = `partition ${partition}: ${offset} at ${atMs}`
      if (below >= 0 && doneUpTo.get(partition)![below]! > atMs + clockSlackMs) this.#violate('ahead', commit)
      for (const { first, next } of progress?.done ?? []) {
        const early = offsets.filter(
          each => each >= first && each < next && this.#doneMs(place(partition, each)) > atMs + clockSlackMs
        )
        if (early.length > 0) this.#violate('ahead', `${commit} says that ${early.join()} are done`)
      }
      const before = newest.get(partition) ?? 0
      if (offset < before) this.#violate('back', `${commit} after ${before}`)
      newest.set(partition, Math.max(before, offset))
    }
  }

  #checkRepeats(): void {
    for (const [at, deliveries] of this.#deliveries) {
      for (const [index, first] of deliveries.slice(0, -1).entries()) {
        const second = deliveries[index + 1]!
        const cause =
          this.#history.events.find(event => explains(event, first, second, this.#history)) ??
          this.#leftByForeign(at, first, second)
        if (cause === undefined)
          this.#violate(
            'repeat',
            `${at}: ${tell(first)}, then ${tell(second)}; ${tellCommits(this.#commitsBefore(at, second))}`
          )
        else this.#repeats.set(cause, (this.#repeats.get(cause) ?? 0) + 1)
      }
    }
  }

  /** The foreign member printed it and did not commit it: that is its own affair. */
  #leftByForeign(at: string, first: Delivery, second: Delivery): EventEntry | undefined {
    const [, offset] = at.split('@').map(Number) as [number, number]
    if (first.call !== undefined || this.#commitsBefore(at, second).some(commit => commit.offset > offset))
      return undefined
    return this.#history.events.findLast(
      ({ event, beganMs }) => event.kind === 'foreign-joins' && beganMs < second.beganMs
    )
  }

  /** Of its partition. */
  #commitsBefore(at: string, { beganMs }: Delivery): readonly GroupCommit[] {
    const [partition] = at.split('@').map(Number)
    return this.#history.commits.filter(commit => commit.partition === partition && commit.atMs <= beganMs)
  }

  #violate(promise: string, what: string): void {
    this.#violations.push(`${promise}: ${what}`)
  }
}

/** Whether a record of `first` may come again as `second` because of the event. */
function explains(entry: EventEntry, first: Delivery, second: Delivery, { events }: History): boolean {
  const { event, mapping, beganMs, endedMs } = entry
  const caller = first.call?.mapping
  if (caller === undefined || second.beganMs < beganMs - clockSlackMs) return false
  const uncommittedMs = commitIntervalMs + commitSlackMs
  if (caller !== mapping) return false
  if (event.kind === 'kill' || event.kind === 'freeze')
    return first.beganMs <= beganMs + clockSlackMs && first.endedMs >= beganMs - uncommittedMs
  if (event.kind !== 'leave') return false
  // A broker that was lost then may have been the coordinator: nothing could be committed any more.
  const loss = events.find(
    other => other.event.kind === 'kill-broker' && other.beganMs <= endedMs && other.endedMs >= beganMs
  )
  if (loss === undefined) return false
  return first.beganMs <= endedMs && first.endedMs >= Math.min(loss.beganMs, beganMs) - uncommittedMs
}

const tell = ({ call, beganMs, endedMs }: Delivery): string =>
  call === undefined
    ? 'printed by the foreign member'
    : `call ${call.number} of ${call.mapping} (${beganMs} to ${endedMs}, ${call.end?.state ?? 'running'})`

const tellCommits = (commits: readonly GroupCommit[]): string =>
  `committed ${commits
    .slice(-shownCommits)
    .map(({ offset, atMs }) => `${offset} at ${atMs}`)
    .join(', ')}`

const placesOf = ({ records }: CallEntry): string[] =>
  [...records].flatMap(([partition, offsets]) => offsets.map(offset => place(partition, offset)))
