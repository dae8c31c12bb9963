import { setTimeout as pause } from 'node:timers/promises'
import { chanceOf } from '../../e2e/crash/crash-plan.ts'
import { type Answer, failed, type FunctionCall, type HttpFunction, returned } from '../../support/http-function.ts'
import type { CallEntry } from './history.ts'
import { place } from './history.ts'

const longestCallMs = 30
const failingPart = 0.06
const partlyFailingPart = 0.06

type Entry = { -readonly [K in keyof CallEntry]: CallEntry[K] }

/** Has a function fail now and then, wholly or in part, and keeps what became of every call. */
export class Recorder {
  readonly calls: CallEntry[] = []
  /** `partition@offset` of what a call succeeded with. */
  readonly done = new Set<string>()
  readonly #entries = new Map<FunctionCall, Entry>()
  readonly #chance: () => number

  constructor(double: HttpFunction, seed: number) {
    this.#chance = chanceOf(seed)
    double.on('began', call => this.#began(call))
    double.on('ended', call => this.#ended(call))
    double.script = call => this.#answer(call)
  }

  #began(call: FunctionCall): void {
    const records = new Map<number, number[]>()
    for (const { partition, offset } of call.records) {
      const offsets = records.get(partition)
      if (offsets === undefined) records.set(partition, [offset])
      else offsets.push(offset)
    }
    const mapping = String(call.headers['x-millrace-mapping'])
    const entry = {
      number: call.number,
      mapping,
      beganMs: Date.now(),
      end: undefined,
      records,
      failed: new Set<string>()
    }
    this.#entries.set(call, entry)
    this.calls.push(entry)
  }

  async #answer(call: FunctionCall): Promise<Answer> {
    const [kind, ms] = [this.#chance(), this.#chance() * longestCallMs]
    await pause(ms)
    if (kind < failingPart) return failed
    if (kind >= failingPart + partlyFailingPart) return returned
    const bad = call.records.filter((_, index) => index === 0 || this.#chance() < 0.3)
    this.#entries.get(call)!.failed = new Set(bad.map(({ partition, offset }) => place(partition, offset)))
    const batchItemFailures = bad.map(({ topic, partition, offset }) => ({
      itemIdentifier: { partition: `${topic}-${partition}`, offset }
    }))
    return { kind: 'status', status: 200, body: JSON.stringify({ batchItemFailures }) }
  }

  #ended(call: FunctionCall): void {
    const entry = this.#entries.get(call)!
    this.#entries.delete(call)
    // What names failed records is an answer too.
    const state =
      call.state === 'gone' ? 'gone' : entry.failed.size === 0 && call.state === 'failed' ? 'failed' : 'returned'
    entry.end = { atMs: Date.now(), state }
    if (state !== 'returned') return
    for (const [partition, offsets] of entry.records) {
      for (const offset of offsets) {
        const at = place(partition, offset)
        if (!entry.failed.has(at)) this.done.add(at)
      }
    }
  }
}
