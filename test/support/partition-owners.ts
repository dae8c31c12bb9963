import { silentLog } from '../../src/adapters/log/silent.ts'
import { RefusalTally } from '../../src/core/filter/refusals.ts'
import type { MappingSpec } from '../../src/core/mapping/mapping.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import { EventBuffers } from '../../src/poller/event-buffers.ts'
import { Poller } from '../../src/poller/poller.ts'
import type { CommitOffset } from '../../src/ports/consumer.ts'
import type { Destination, FailureMessage } from '../../src/ports/destination.ts'
import type { PollerReport } from '../../src/ports/poller-host.ts'
import { blockOf, plainBlock, type RecordFields } from './blocks.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { FakeConsumer } from './fake-consumer.ts'
import { type Call, FakeInvoker } from './fake-invoker.ts'
import { aSpec } from './mappings.ts'

/** A destination that takes everything, or nothing while `down`. */
export class FakeDestination implements Destination {
  readonly bodies: { requestContext: Record<string, unknown>; payload: { records: object } }[] = []
  down = false
  refusals = 0

  deliver(messages: readonly FailureMessage[]): Promise<void> {
    if (this.down) {
      this.refusals++
      return Promise.reject(new Error('queue is not reachable'))
    }
    this.bodies.push(...messages.map(({ body }) => JSON.parse(body.toString())))
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Owners of partition 0 of `orders`, one after another: each begins where the last commit says. */
export function partitionOwners(overrides: Partial<MappingSpec>, withDestination = true) {
  const clock = new FakeClock()
  const destination = new FakeDestination()
  const counts: Record<string, number> = {}
  const refusals = new RefusalTally()
  const results: string[] = []
  const live = { blocks: 0 }
  let requests = 0
  let committed: CommitOffset | undefined
  const calls: Call[] = []

  function own(rule: (call: Call) => InvokeReply) {
    const consumer = new FakeConsumer()
    const invoker = new FakeInvoker()
    invoker.answerAll(call => {
      calls.push(call)
      return rule(call)
    })
    const report = (report: PollerReport) => {
      if (report.kind === 'result') results.push(report.text)
      if (report.kind === 'counts' && report.refusals !== undefined) refusals.add(report.refusals)
      if (report.kind === 'counts')
        for (const [name, count] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + count
    }
    const poller = new Poller(
      {
        mapping: 'm-1',
        specVersion: 1,
        spec: aSpec({
          windowSeconds: 0,
          ...(withDestination ? { destination: 'file:failures.jsonl' } : {}),
          ...overrides
        }),
        cluster: { bootstrapServers: ['127.0.0.1:9092'] },
        bootstrapServers: '127.0.0.1:9092',
        target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 },
        ...(withDestination ? { destination: { kind: 'file', name: 'failures.jsonl' } } : {}),
        budgetBytes: 64 * 1024 * 1024
      },
      30_000,
      {
        consumer,
        invoker,
        ...(withDestination ? { destination } : {}),
        clock,
        log: silentLog,
        buffers: new EventBuffers(),
        report,
        newRequestId: () => `request-${++requests}`
      }
    )
    poller.start()
    const startOffset = committed?.offset ?? 0
    const { metadata } = committed ?? {}
    consumer.owned.push({ topic: 'orders', partition: 0 })
    consumer.listener.assigned([
      {
        topic: 'orders',
        partition: 0,
        startOffset,
        fresh: committed === undefined,
        ...(metadata === undefined ? {} : { metadata })
      }
    ])
    return {
      startOffset,
      consumer,
      /** Records from where this owner begins up to `end`; `fields` says what they hold. */
      async fetch(end: number, fields?: (offset: number) => Partial<RecordFields>) {
        live.blocks++
        const options = { onRelease: () => live.blocks-- }
        const records = Array.from({ length: end - startOffset }, (_, index) => startOffset + index)
        const block =
          fields === undefined
            ? plainBlock(startOffset, records.length, options)
            : blockOf(
                records.map(offset => ({ value: 'v', ...fields(offset), offset })),
                options
              )
        consumer.listener.fetched(block)
        await settled()
      },
      async leave() {
        await poller.stop(0)
        committed = consumer.commits.flat().at(-1) ?? committed
        await settled()
      }
    }
  }
  const offsets = () =>
    calls.map(({ event }) => Object.values(event.records).flatMap(list => list.map(({ offset }) => offset)))
  return { clock, destination, counts, refusals, results, live, calls, own, offsets, committed: () => committed }
}
