import type { MappingSpec } from '../../src/core/mapping/mapping.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import { EventBuffers } from '../../src/poller/event-buffers.ts'
import { Poller } from '../../src/poller/poller.ts'
import type { PollerReport } from '../../src/ports/poller-host.ts'
import { plainBlock } from './blocks.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { FakeConsumer } from './fake-consumer.ts'
import { FakeInvoker, ok } from './fake-invoker.ts'
import { aSpec } from './mappings.ts'

/** A poller of `orders` that runs, between a consumer, a function and a clock that do what they are told. */
export function onePoller(overrides: Partial<MappingSpec> = {}, budgetBytes = 64 * 1024 * 1024) {
  const consumer = new FakeConsumer()
  const invoker = new FakeInvoker()
  const clock = new FakeClock()
  const reports: PollerReport[] = []
  const live = { blocks: 0 }
  let requests = 0
  const spec = aSpec({ windowSeconds: 0, ...overrides })
  const poller = new Poller(
    {
      mapping: 'm-1',
      specVersion: 1,
      spec,
      cluster: { bootstrapServers: ['127.0.0.1:9092'] },
      bootstrapServers: '127.0.0.1:9092',
      target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 },
      budgetBytes
    },
    30_000,
    {
      consumer,
      invoker,
      clock,
      log: silentLog,
      buffers: new EventBuffers(),
      report: report => reports.push(report),
      newRequestId: () => `request-${++requests}`
    }
  )
  poller.start()
  return {
    poller,
    consumer,
    invoker,
    clock,
    reports,
    live,
    results: () => reports.flatMap(report => (report.kind === 'result' ? [report.text] : [])),
    async fetch(partition: number, first: number, records: number, valueBytes = 10) {
      live.blocks++
      const block = plainBlock(first, records, { partition, valueBytes, onRelease: () => live.blocks-- })
      consumer.listener.fetched(block)
      await settled()
    },
    async answer(call: number, reply = ok) {
      invoker.calls[call]!.answer(reply)
      await settled()
    }
  }
}
