import type { Clock } from '../../src/ports/clock.ts'
import type { Chance } from './chance.ts'

/** A process of the simulated world. What happens inside it waits while it is paused, and never happens once it is dead. */
export class Life {
  alive = true
  /** Stopped like by SIGSTOP until then. */
  pausedUntilMs = 0
  #pausedFromMs = 0
  /** The last time that it stood still so long that it notices. */
  #still = { fromMs: Infinity, untilMs: -Infinity }

  pause(nowMs: number, forMs: number): void {
    if (this.pausedUntilMs <= nowMs) this.#pausedFromMs = nowMs
    this.pausedUntilMs = Math.max(this.pausedUntilMs, nowMs + forMs)
    if (this.pausedUntilMs - this.#pausedFromMs > noticedMs)
      this.#still = { fromMs: this.#pausedFromMs, untilMs: this.pausedUntilMs }
  }

  /** When it came back from that; -Infinity: it never stood still so long. */
  get cameBackMs(): number {
    return this.#still.untilMs
  }

  /** It stood still then. */
  wasStill(atMs: number): boolean {
    return this.#still.fromMs <= atMs && atMs < this.#still.untilMs
  }
}

/** `src/adapters/host/stillness.ts` looks now and then, and takes less for a busy thread. */
const noticedMs = 3_000

interface Event {
  atMs: number
  readonly order: number
  readonly life: Life | undefined
  run: (() => void) | undefined
}

/** How many events run before the real event loop has its turn. */
const eventsPerTurn = 4_000
/** Who does more within one millisecond waits for nothing any more. */
const eventsPerMs = 50_000

/** A queue of events in virtual time. Between two events all promise reactions run, so that a seed has one course only. */
export class VirtualTime {
  nowMs = 0
  events = 0
  #eventsNow = 0
  readonly #heap: Event[] = []
  #order = 0

  /** Runs `run` after `delayMs`; within `life` if one is given. The returned function takes it back. */
  after(delayMs: number, run: () => void, life?: Life): () => void {
    // Whole milliseconds: nobody is woken a rounding error too early.
    const event: Event = { atMs: this.nowMs + Math.max(0, Math.ceil(delayMs)), order: this.#order++, life, run }
    this.#push(event)
    return () => {
      event.run = undefined
    }
  }

  /** Runs events until none is left before `untilMs`, or `done`. Rejects with what an event throws. */
  run(untilMs: number, done: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let left = eventsPerTurn
    const step = () => {
      const run = done() ? undefined : this.#next(untilMs)
      if (run === undefined) {
        if (!done()) this.nowMs = untilMs
        resolve()
        return
      }
      this.events++
      try {
        if (this.#eventsNow++ > eventsPerMs) throw new Error('somebody is busy without end: time stands still')
        run()
      } catch (error) {
        reject(error)
        return
      }
      // A tick runs when no promise reaction is left: cheaper than a turn of the event loop, and as complete.
      queueMicrotask(again)
    }
    const again = () => {
      if (left-- > 0) process.nextTick(step)
      else {
        left = eventsPerTurn
        setImmediate(step)
      }
    }
    process.nextTick(step)
    return promise
  }

  #next(untilMs: number): (() => void) | undefined {
    for (;;) {
      const event = this.#heap[0]
      if (event === undefined || event.atMs > untilMs) return undefined
      this.#pop()
      const { life, run } = event
      if (run === undefined || life?.alive === false) continue
      if (life !== undefined && life.pausedUntilMs > event.atMs) {
        event.atMs = life.pausedUntilMs
        this.#push(event)
        continue
      }
      if (event.atMs > this.nowMs) this.#eventsNow = 0
      this.nowMs = event.atMs
      event.run = undefined
      return run
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

/** The clock of one process. */
export class ProcessClock implements Clock {
  readonly #time: VirtualTime
  readonly #life: Life
  readonly #chance: Chance
  /** Timers that were set and neither ran nor were taken back. */
  waiting = 0

  constructor(time: VirtualTime, life: Life, chance: Chance) {
    this.#time = time
    this.#life = life
    this.#chance = chance
  }

  now(): number {
    return 1_700_000_000_000 + this.#time.nowMs
  }

  monotonicMs(): number {
    return this.#time.nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    this.waiting++
    let open = true
    const close = () => {
      if (open) this.waiting--
      open = false
    }
    const cancel = this.#time.after(
      delayMs,
      () => {
        close()
        run()
      },
      this.#life
    )
    return () => {
      close()
      cancel()
    }
  }

  cameBackMs(): number {
    return this.#life.cameBackMs
  }

  chance(): number {
    return this.#chance.next()
  }
}
