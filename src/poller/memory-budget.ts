import type { Clock } from '../ports/clock.ts'
import type { FetchMemory, MemoryUse, Meter, ProcessMemory } from '../ports/memory.ts'

/**
 * A poller may hold this many times what is free, and so may a partition of what is free to its poller. Whoever holds
 * much has to give way as others need memory, and a part of it is always left for who comes next (dynamic thresholds:
 * Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
 */
const timesFree = 2
/** A partition holds no more however much is free: more gains nothing, and pages that were never touched cost. */
const partitionCapBytes = 12 * 1024 * 1024
/** Less is not worth a poll. */
const leastPollBytes = 64 * 1024
/** Of the budget. The rest is for Buffers that wait to be used again. */
const fetchShare = 7 / 16
const eventShare = 5 / 16
/** Of the share of events: what calls may be worth, all together, that are made although there is no room. */
const evenIfFull = 1 / 4
const leastEventBytes = 64 * 1024
/** Other threads do not say when they free something. */
const lookAgainMs = 50

/** What an account may wait for. */
export type Need = 'fetch' | 'events'

const noUse: MemoryUse = { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 0 }
const alone: ProcessMemory = { others: () => undefined, publish: () => undefined }

export interface MemoryBudgetOptions {
  readonly process?: ProcessMemory
  /** With `process`: looks whether others have freed something. */
  readonly clock?: Clock
}

/**
 * The memory of a process as the pollers of one thread share it with each other and with other threads: one part is
 * for what was fetched and is not finished, one for events that are out. Shares follow at once from who holds how much, so that
 * nothing has to be divided anew as mappings come and go: one that holds nothing leaves all to the others.
 *
 * What is held stays within the budget but for this, which lets everybody go on whatever others do: a poller that holds
 * nothing may fetch a little, one without a call may make a small one, and Kafka sends a record batch whole, however large.
 */
export class MemoryBudget {
  readonly #fetchBytes: number
  readonly #mostEventBytes: number
  readonly #process: ProcessMemory
  readonly #clock: Clock | undefined
  /** They were refused memory, and go on when there is some. */
  readonly #waiting = { fetch: new Set<MemoryAccount>(), events: new Set<MemoryAccount>() }
  readonly events: Meter
  #fetchedBytes = 0
  #eventBytes = 0
  #polls = 0
  #pollers = 0
  #wakeQueued = false
  #looking = false

  constructor(budgetBytes: number, { process = alone, clock }: MemoryBudgetOptions = {}) {
    this.#fetchBytes = budgetBytes * fetchShare
    this.#mostEventBytes = budgetBytes * eventShare
    this.#process = process
    this.#clock = clock
    this.events = {
      hold: bytes => this.#changed(0, bytes, 0),
      free: bytes => this.#changed(0, -bytes, 0)
    }
  }

  /** For one poller. `onRoom`: it was refused memory, and there is some now. */
  open(onRoom: () => void = () => undefined): MemoryAccount {
    this.#pollers++
    return new MemoryAccount(
      {
        changed: (fetchedBytes, polls) => this.#changed(fetchedBytes, 0, polls),
        wait: (account, need) => this.#wait(account, need),
        closed: account => {
          this.#pollers--
          this.#waiting.fetch.delete(account)
          this.#waiting.events.delete(account)
        },
        freeBytes: () => this.#fetchBytes - this.#fetchedBytes - this.#others.fetchedBytes,
        hasRoomForEvents: () => this.#eventBytes + this.#others.eventBytes < this.#mostEventBytes,
        eventBytesIfFull: () => (this.#mostEventBytes * evenIfFull) / (this.#pollers + this.#others.pollers),
        idlePollBytes: () => this.#fetchBytes / 2 / (this.#polls + this.#others.polls + 1),
        fetchBytes: this.#fetchBytes
      },
      onRoom
    )
  }

  /** Of this thread. */
  get use(): MemoryUse {
    return {
      fetchedBytes: this.#fetchedBytes,
      eventBytes: this.#eventBytes,
      polls: this.#polls,
      pollers: this.#pollers
    }
  }

  get #others(): MemoryUse {
    return this.#process.others() ?? noUse
  }

  #changed(fetchedBytes: number, eventBytes: number, polls: number): void {
    this.#fetchedBytes += fetchedBytes
    this.#eventBytes += eventBytes
    this.#polls += polls
    this.#process.publish(this.use)
    if (fetchedBytes + eventBytes < 0) this.#queueWake()
  }

  #wait(account: MemoryAccount, need: Need): void {
    this.#waiting[need].add(account)
    if (this.#looking || this.#clock === undefined || this.#process.others() === undefined) return
    this.#looking = true
    this.#clock.after(lookAgainMs, () => {
      this.#looking = false
      this.#wake()
    })
  }

  /** Once a turn: a batch that is settled frees many blocks. */
  #queueWake(): void {
    if (this.#wakeQueued || this.#waiting.fetch.size + this.#waiting.events.size === 0) return
    this.#wakeQueued = true
    queueMicrotask(() => {
      this.#wakeQueued = false
      this.#wake()
    })
  }

  #wake(): void {
    for (const need of ['fetch', 'events'] as const) {
      const waiting = [...this.#waiting[need]]
      this.#waiting[need].clear()
      for (const account of waiting) {
        if (account.hasRoomFor(need)) account.onRoom()
        else this.#wait(account, need)
      }
    }
  }
}

interface Shared {
  changed(fetchedBytes: number, polls: number): void
  wait(account: MemoryAccount, need: Need): void
  closed(account: MemoryAccount): void
  freeBytes(): number
  hasRoomForEvents(): boolean
  eventBytesIfFull(): number
  idlePollBytes(): number
  readonly fetchBytes: number
}

/** What one poller holds. */
export class MemoryAccount implements FetchMemory {
  readonly #shared: Shared
  onRoom: () => void
  /** Buffers of answers and columns of blocks, by their whole size. */
  #bufferBytes = 0
  /** The same records by their own size: more than that only where they were copied out of what was fetched. */
  #recordBytes = 0
  #reservedBytes = 0

  constructor(shared: Shared, onRoom: () => void) {
    this.#shared = shared
    this.onRoom = onRoom
  }

  get heldBytes(): number {
    return this.#reservedBytes + Math.max(this.#bufferBytes, this.#recordBytes)
  }

  get shareBytes(): number {
    return (this.#shared.fetchBytes * timesFree) / (1 + timesFree)
  }

  /** What may still be added: then as much is held as may be beside what is free then. */
  get headroomBytes(): number {
    return (timesFree * this.#shared.freeBytes() - this.heldBytes) / (1 + timesFree)
  }

  /** What a partition may hold now. */
  get partitionBytes(): number {
    return Math.min(partitionCapBytes, timesFree * this.headroomBytes)
  }

  /** Something may be fetched; another call may go out. */
  hasRoomFor(need: Need): boolean {
    if (need === 'events') return this.#shared.hasRoomForEvents()
    return this.heldBytes === this.#reservedBytes || this.headroomBytes >= leastPollBytes
  }

  /** What an event may hold: of a poller that has no other out, for it may always make a call. */
  get eventBytes(): number {
    return this.hasRoomFor('events') ? Infinity : Math.max(leastEventBytes, this.#shared.eventBytesIfFull())
  }

  hold(bytes: number): void {
    this.#change(() => (this.#bufferBytes += bytes))
  }

  free(bytes: number): void {
    this.#change(() => (this.#bufferBytes -= bytes))
  }

  /** Records have come, or are finished. */
  records(bytes: number): void {
    this.#change(() => (this.#recordBytes += bytes))
  }

  reserve(mostBytes: number, idle: boolean): number {
    // Half, so that polls of other brokers have some, too.
    const granted = Math.min(mostBytes, this.headroomBytes / 2, idle ? this.#shared.idlePollBytes() : mostBytes)
    const bytes = Math.max(leastPollBytes, Math.floor(granted))
    this.#change(() => (this.#reservedBytes += bytes), 1)
    return bytes
  }

  release(reservedBytes: number): void {
    this.#change(() => (this.#reservedBytes -= reservedBytes), -1)
  }

  /** Memory was refused: `onRoom` tells when there is some. */
  wait(need: Need): void {
    this.#shared.wait(this, need)
  }

  /** Waits for nothing any more. What it still holds is counted until it is freed. */
  close(): void {
    this.onRoom = () => undefined
    this.#shared.closed(this)
  }

  #change(change: () => void, polls = 0): void {
    const before = this.heldBytes
    change()
    this.#shared.changed(this.heldBytes - before, polls)
  }
}
