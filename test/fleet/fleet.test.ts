import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../src/core/errors.ts'
import type { ClusterDirectory } from '../../src/ports/clusters.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import type { Mapping } from '../../src/core/mapping/mapping.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { FunctionEntry } from '../../src/ports/functions.ts'
import type { PollerAssignment, PollerHost, PollerReport } from '../../src/ports/poller-host.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { aMapping, aSpec } from '../support/mappings.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { anAuthor } from '../support/stored-mapping.ts'

interface Opened {
  readonly assignment: PollerAssignment
  readonly report: (report: PollerReport) => void
  stopped: number | undefined
}

/** Pollers that do only what the test says. */
class FakeHost implements PollerHost {
  readonly opened: Opened[] = []

  open(assignment: PollerAssignment, report: (report: PollerReport) => void) {
    const opened: Opened = { assignment, report, stopped: undefined }
    this.opened.push(opened)
    return {
      stop: (graceMs: number) => {
        opened.stopped ??= graceMs
        return Promise.resolve()
      }
    }
  }

  get running(): Opened[] {
    return this.opened.filter(({ stopped }) => stopped === undefined)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const orders: FunctionEntry = {
  name: 'orders',
  arn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
  kind: 'http',
  timeoutSeconds: 3,
  target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 }
}

const ownClusters: ClusterDirectory = {
  async address({ source }) {
    if (source.kind === 'self-managed') return { bootstrapServers: source.bootstrapServers }
    throw new MillraceError('MILL_CLUSTER_UNKNOWN', [source.arn, 'MSK does not know it'])
  },
  gone: () => undefined
}

function setup(functions: FunctionEntry[] = [orders]) {
  const store = new MemoryStore()
  const host = new FakeHost()
  const clock = new FakeClock()
  const fleet = new Fleet({
    store,
    host,
    clock,
    log: silentLog,
    functions: { find: name => functions.find(entry => entry.name === name), list: () => functions },
    clusters: ownClusters,
    graceMs: 5_000,
    memoryBudgetBytes: 100 * 1024 * 1024
  })
  return {
    store,
    host,
    clock,
    fleet,
    functions,
    async insert(overrides: Partial<Mapping> = {}) {
      const mapping = aMapping(overrides)
      await store.insert(mapping, anAuthor())
      await settled()
      return mapping.uuid
    },
    async change(uuid: string, change: Parameters<MemoryStore['update']>[2]) {
      const { version } = (await store.get(uuid))!
      assert.ok(await store.update(uuid, version, change, anAuthor()))
      await settled()
    },
    async say(report: PollerReport) {
      host.running.at(-1)!.report(report)
      await settled()
    },
    state: async (uuid: string) => (await store.get(uuid))?.state
  }
}

test('a new mapping is enabled once its poller takes part', async () => {
  const { fleet, insert, say, state, host } = setup()
  await fleet.start()
  const uuid = await insert()
  assert.equal(await state(uuid), 'Creating')
  assert.equal(host.running[0]!.assignment.bootstrapServers, '127.0.0.1:9092')
  await say({ kind: 'running' })
  assert.equal(await state(uuid), 'Enabled')
})

test('a function at AWS Lambda is called in the role of the mapping, unless it has one of its own', async () => {
  const at = {
    kind: 'lambda',
    functionName: 'f',
    region: 'eu-west-1',
    endpoint: 'http://127.0.0.1:1',
    signed: true
  } as const
  const tags = { 'millrace:role-arn': 'arn:aws:iam::123456789012:role/mapping', 'millrace:external-id': 'their-id' }
  const mappings = { roleArn: tags['millrace:role-arn'], externalId: 'their-id' }
  const own = { roleArn: 'arn:aws:iam::123456789012:role/own' }
  for (const [role, used] of [
    [undefined, mappings],
    [own, own]
  ] as const) {
    const target = { ...at, timeoutMs: 1, ...(role === undefined ? {} : { role }) }
    const { fleet, insert, host } = setup([{ ...orders, kind: 'lambda', target }])
    await fleet.start()
    await insert({ spec: aSpec({ tags }) })
    const assigned = host.running[0]?.assignment.target
    assert.deepEqual(assigned?.kind === 'lambda' && assigned.role, used)
  }
})

test('a mapping created disabled runs nothing', async () => {
  const { fleet, insert, state, host } = setup()
  await fleet.start()
  const uuid = await insert({ spec: aSpec({ enabled: false }) })
  assert.equal(await state(uuid), 'Disabled')
  assert.equal(host.opened.length, 0)
})

test('what the store holds at start runs again', async () => {
  const { fleet, insert, host } = setup()
  await insert({ state: 'Enabled' })
  await fleet.start()
  await settled()
  assert.equal(host.running.length, 1)
})

test('a changed mapping gets a new poller after the old one has stopped with its grace', async () => {
  const { fleet, insert, change, say, state, host } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'running' })
  await change(uuid, { spec: aSpec({ batchSize: 7 }), state: 'Updating' })
  assert.deepEqual(
    host.opened.map(({ assignment, stopped }) => [assignment.spec.batchSize, stopped]),
    [
      [10, 5_000],
      [7, undefined]
    ]
  )
  assert.equal(await state(uuid), 'Updating')
  await say({ kind: 'running' })
  assert.equal(await state(uuid), 'Enabled')
})

test('disabling stops the poller, then settles; enabling starts another', async () => {
  const { fleet, insert, change, say, state, host } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'running' })
  await change(uuid, { spec: aSpec({ enabled: false }), state: 'Disabling' })
  assert.deepEqual([host.running.length, await state(uuid)], [0, 'Disabled'])
  await change(uuid, { spec: aSpec(), state: 'Enabling' })
  await say({ kind: 'running' })
  assert.deepEqual([host.running.length, await state(uuid)], [1, 'Enabled'])
})

test('deleting stops the poller before the mapping goes', async () => {
  const { fleet, insert, change, say, store, host } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'running' })
  await change(uuid, { state: 'Deleting' })
  assert.equal(host.running.length, 0)
  assert.equal(await store.get(uuid), undefined)
})

test('results of the poller are written down, and healed', async () => {
  const { fleet, insert, say, store } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'result', text: 'PROBLEM: …', reason: 'EVENT_SOURCE_AUTHZ_ERROR' })
  const ill = await store.get(uuid)
  assert.deepEqual([ill!.lastProcessingResult, ill!.stateTransitionReason], ['PROBLEM: …', 'EVENT_SOURCE_AUTHZ_ERROR'])
  await say({ kind: 'result', text: 'OK' })
  const well = await store.get(uuid)
  assert.deepEqual([well!.lastProcessingResult, well!.stateTransitionReason], ['OK', 'USER_INITIATED'])
})

test('a poller that failed is replaced after a wait that grows', async () => {
  const { fleet, insert, say, clock, host } = setup()
  await fleet.start()
  await insert()
  await say({ kind: 'failed', message: 'thread died' })
  assert.equal(host.running.length, 0)
  await clock.advance(375)
  assert.equal(host.running.length, 1)
  await say({ kind: 'failed', message: 'thread died' })
  await clock.advance(375)
  assert.equal(host.running.length, 0)
  await clock.advance(375)
  assert.equal(host.running.length, 1)
})

test('a late report of a poller that was replaced says nothing about the new one', async () => {
  const { fleet, insert, change, say, state, host } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'running' })
  await change(uuid, { spec: aSpec({ batchSize: 7 }), state: 'Updating' })
  host.opened[0]!.report({ kind: 'running' })
  await settled()
  assert.equal(await state(uuid), 'Updating')
})

test('a function that is no longer configured is said so, and the mapping runs when it is back', async () => {
  const { fleet, insert, say, store, clock, functions, host } = setup([])
  await fleet.start()
  const uuid = await insert()
  const { state, lastProcessingResult, stateTransitionReason } = (await store.get(uuid))!
  assert.equal(state, 'Enabled')
  assert.equal(stateTransitionReason, 'FUNCTION_CONFIG_NOT_VALID')
  assert.match(lastProcessingResult, /^PROBLEM: Function does not exist\. Details: orders is not in the configuration/)
  functions.push(orders)
  await clock.advance(60_000)
  assert.equal(host.running.length, 1)
  await say({ kind: 'running' })
  const healed = (await store.get(uuid))!
  assert.deepEqual([healed.lastProcessingResult, healed.stateTransitionReason], ['OK', 'USER_INITIATED'])
})

test('a poller that takes part although another had a problem heals it; one that tells of it does not', async () => {
  const { fleet, insert, say, change, store } = setup()
  await fleet.start()
  const uuid = await insert()
  const problem = { text: 'PROBLEM: Connection error.', reason: 'EVENT_SOURCE_AUTHN_ERROR' }
  await say({ kind: 'result', ...problem })
  await say({ kind: 'running' })
  const seen = async () => {
    const { lastProcessingResult, stateTransitionReason } = (await store.get(uuid))!
    return [lastProcessingResult, stateTransitionReason]
  }
  assert.deepEqual(await seen(), [problem.text, problem.reason])
  await change(uuid, { spec: aSpec({ batchSize: 7 }), state: 'Updating' })
  await say({ kind: 'result', ...problem })
  await say({ kind: 'running' })
  assert.deepEqual(await seen(), [problem.text, problem.reason])
  await change(uuid, { spec: aSpec({ batchSize: 8 }), state: 'Updating' })
  await say({ kind: 'running' })
  assert.deepEqual(await seen(), ['OK', 'USER_INITIATED'])
})

test('a cluster that is not configured is said so', async () => {
  const { fleet, insert, store } = setup()
  await fleet.start()
  const uuid = await insert({ spec: aSpec({ source: { kind: 'msk', arn: 'arn:aws:kafka:us-east-1:0:cluster/a/b' } }) })
  assert.match((await store.get(uuid))!.lastProcessingResult, /arn:aws:kafka:us-east-1:0:cluster\/a\/b/)
})

test('a stop gives every poller the grace and leaves the mappings as they are', async () => {
  const { fleet, insert, say, state, host, clock } = setup()
  await fleet.start()
  const uuid = await insert()
  await say({ kind: 'running' })
  await fleet.stop({ graceMs: 1_234 })
  await fleet.stop()
  assert.equal(host.opened[0]!.stopped, 1_234)
  await clock.advance(60_000)
  assert.deepEqual([host.running.length, await state(uuid)], [0, 'Enabled'])
})
