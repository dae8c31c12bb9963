import type { PollerEvent } from '../../ports/poller-event.ts'
import type { TopicEnds } from './dev-broker.ts'

/** A partition that a mapping has not come to the end of. */
export interface Unsettled {
  readonly mapping: string
  readonly topic: string
  readonly partition: number
  readonly records: number
}

/** What became of records, all mappings together. */
export interface Tally {
  readonly records: number
  readonly filteredOut: number
  readonly calls: number
  readonly failedCalls: number
  readonly givenUp: number
  /** Of those that were given up. */
  readonly delivered: number
}

/** How far each mapping has come in its topic, as its pollers tell. */
export class DevProgress {
  /** Topic of each mapping that is to run, by UUID. */
  readonly #topics = new Map<string, string>()
  /** Where reading began, and what is committed, by mapping and partition. */
  readonly #partitions = new Map<string, { readonly began: number; reached: number }>()
  /** Called when what `isReading`, `hasBegun` and `unsettled` say may have changed. */
  onChange: () => void = () => undefined
  /** Calls that have not ended. */
  openCalls = 0
  #tally: Tally = { records: 0, filteredOut: 0, calls: 0, failedCalls: 0, givenUp: 0, delivered: 0 }

  get tally(): Tally {
    return this.#tally
  }

  expect(mapping: string, topic: string): void {
    this.#topics.set(mapping, topic)
  }

  note(event: PollerEvent): void {
    const tally = this.#tally
    switch (event.kind) {
      case 'assigned': {
        const key = keyOf(event)
        const before = this.#partitions.get(key)
        this.#partitions.set(key, { began: before?.began ?? event.startOffset, reached: event.startOffset })
        this.onChange()
        return
      }
      case 'committed':
        for (const { topic, partition, offset } of event.offsets) {
          const at = this.#partitions.get(keyOf({ mapping: event.mapping, topic, partition }))
          if (at !== undefined) at.reached = Math.max(at.reached, offset)
        }
        this.onChange()
        return
      case 'fetched':
        this.#tally = {
          ...tally,
          records: tally.records + event.records,
          filteredOut: tally.filteredOut + event.filteredOut
        }
        return
      case 'call-started':
        this.openCalls += 1
        return
      case 'call-ended':
        this.openCalls -= 1
        this.#tally = {
          ...tally,
          calls: tally.calls + 1,
          failedCalls: tally.failedCalls + (event.step === 'settle' ? 0 : 1)
        }
        return
      case 'given-up':
        this.#tally = {
          ...tally,
          givenUp: tally.givenUp + event.records,
          delivered: tally.delivered + (event.destination === undefined ? 0 : event.records)
        }
        return
      case 'held':
      case 'released':
      case 'result':
        return
      default:
        throw new Error(`unknown event ${JSON.stringify(event satisfies never)}`)
    }
  }

  /** Every mapping reads all partitions of its topic. */
  isReading(ends: TopicEnds): boolean {
    return [...this.#topics].every(([mapping, topic]) => {
      const partitions = ends.get(topic)
      return (
        partitions !== undefined &&
        [...partitions.keys()].every(partition => this.#partitions.has(keyOf({ mapping, topic, partition })))
      )
    })
  }

  /** Something came, or was there before. */
  hasBegun(ends: TopicEnds): boolean {
    return this.#each(ends).some(({ began, end }) => end > began)
  }

  unsettled(ends: TopicEnds): Unsettled[] {
    return this.#each(ends).flatMap(({ reached, end, ...where }) =>
      end > reached
        ? [{ mapping: where.mapping, topic: where.topic, partition: where.partition, records: end - reached }]
        : []
    )
  }

  #each(ends: TopicEnds) {
    return [...this.#topics].flatMap(([mapping, topic]) =>
      [...(ends.get(topic) ?? [])].map(([partition, end]) => {
        const { began, reached } = this.#partitions.get(keyOf({ mapping, topic, partition })) ?? {
          began: 0,
          reached: 0
        }
        return { mapping, topic, partition, began, reached, end }
      })
    )
  }
}

const keyOf = ({ mapping, topic, partition }: Omit<Unsettled, 'records'>): string => `${mapping} ${topic} ${partition}`
