import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptEntries } from '../../src/core/mapping/history.ts'
import type { MappingStore } from '../../src/ports/mapping-store.ts'
import { aMapping, anAuthor } from '../support/stored-mapping.ts'

/** What every store has to do. `open` gives an empty one. */
export function mappingStoreContract(name: string, open: () => Promise<MappingStore>): void {
  test(`${name}: gives back what was put in`, async () => {
    await using store = await open()
    const mapping = aMapping({
      source: { kind: 'msk', arn: 'arn:aws:kafka:us-east-1:000000000000:cluster/a/1' },
      startingPosition: { kind: 'AT_TIMESTAMP', timestampMs: 1_500 },
      windowSeconds: 0,
      qualifier: '$LATEST',
      sourceAccess: [{ Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }],
      tags: { team: 'ä "quoted"', __proto__key: '' }
    })
    await store.insert(mapping, anAuthor())
    assert.deepEqual(await store.get(mapping.uuid), mapping)
    assert.equal(await store.get('none'), undefined)
  })

  test(`${name}: what it gave is a copy`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    const first = await store.get(mapping.uuid)
    assert.ok(first !== undefined)
    Object.assign(first.spec, { batchSize: 1 })
    assert.equal((await store.get(mapping.uuid))?.spec.batchSize, 100)
  })

  test(`${name}: lists in the order of creation, page by page, and says when there is no more`, async () => {
    await using store = await open()
    const uuids: string[] = []
    for (let n = 0; n < 5; n++) {
      const mapping = aMapping({ topic: `t${n}` })
      uuids.push(mapping.uuid)
      await store.insert(mapping, anAuthor())
    }
    const first = await store.list({}, 2)
    const gone = await store.get(uuids[1] ?? '')
    // The marker holds although the mapping it points to goes.
    assert.equal(await store.remove(uuids[1] ?? '', gone?.version ?? 0, anAuthor()), true)
    const second = await store.list({}, 2, first.next)
    const third = await store.list({}, 2, second.next)
    const listed = [first, second, third].map(page => page.mappings.map(mapping => mapping.uuid))
    assert.deepEqual(listed, [uuids.slice(0, 2), uuids.slice(2, 4), uuids.slice(4)])
    assert.equal(third.next, undefined)
    assert.equal((await store.list({}, 4)).next, undefined)
  })

  test(`${name}: refuses a marker it did not give`, async () => {
    await using store = await open()
    await assert.rejects(store.list({}, 10, 'nonsense'), { code: 'MILL_PARAMETER_INVALID' })
  })

  test(`${name}: filters by function ARN and source ARN, both together`, async () => {
    await using store = await open()
    const arn = (n: number): string => `arn:aws:kafka:us-east-1:000000000000:cluster/a/${n}`
    const f = aMapping({ functionArn: 'f', source: { kind: 'msk', arn: arn(1) } })
    const g = aMapping({ functionArn: 'g', source: { kind: 'msk', arn: arn(1) } })
    const h = aMapping({ functionArn: 'f', source: { kind: 'msk', arn: arn(2) } })
    for (const mapping of [f, g, h]) await store.insert(mapping, anAuthor())
    const uuids = async (filter: Parameters<MappingStore['list']>[0]): Promise<string[]> =>
      (await store.list(filter, 10)).mappings.map(mapping => mapping.uuid)
    assert.deepEqual(await uuids({ functionArn: 'f' }), [f.uuid, h.uuid])
    assert.deepEqual(await uuids({ eventSourceArn: arn(1) }), [f.uuid, g.uuid])
    assert.deepEqual(await uuids({ functionArn: 'f', eventSourceArn: arn(2) }), [h.uuid])
    assert.deepEqual(await uuids({ functionArn: 'none' }), [])
  })

  test(`${name}: changes at the version read only, and says how it is then`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    const changed = await store.update(mapping.uuid, 1, { state: 'Enabled', lastProcessingResult: 'OK' }, anAuthor())
    assert.deepEqual(changed, { ...mapping, version: 2, state: 'Enabled', lastProcessingResult: 'OK' })
    assert.deepEqual(await store.get(mapping.uuid), changed)
    assert.equal(await store.update(mapping.uuid, 1, { state: 'Disabled' }, anAuthor()), undefined)
    assert.equal(await store.update('none', 1, { state: 'Disabled' }, anAuthor()), undefined)
    assert.equal((await store.get(mapping.uuid))?.state, 'Enabled')
  })

  test(`${name}: the spec's version grows with the spec, not with states or tags`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    await store.update(mapping.uuid, 1, { state: 'Enabled' }, anAuthor())
    await store.update(mapping.uuid, 2, { tags: { team: 'a' } }, anAuthor())
    const after = await store.update(mapping.uuid, 3, { spec: { ...mapping.spec, batchSize: 7 } }, anAuthor())
    assert.deepEqual([after?.version, after?.specVersion, after?.spec.batchSize], [4, 2, 7])
    assert.deepEqual((await store.update(mapping.uuid, 4, { tags: { team: 'b' } }, anAuthor()))?.spec.tags, {
      team: 'b'
    })
  })

  test(`${name}: removes at the version read only`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    assert.equal(await store.remove(mapping.uuid, 7, anAuthor()), false)
    assert.equal(await store.remove(mapping.uuid, 1, anAuthor()), true)
    assert.equal(await store.remove(mapping.uuid, 1, anAuthor()), false)
    assert.equal(await store.get(mapping.uuid), undefined)
  })

  test(`${name}: refuses the same function and topic on a common server, and keeps nothing of it`, async () => {
    await using store = await open()
    const first = aMapping({ source: { kind: 'self-managed', bootstrapServers: ['kafka:1000'] } })
    await store.insert(first, anAuthor())
    const second = aMapping({ source: { kind: 'self-managed', bootstrapServers: ['kafka:1000', 'kafka:2000'] } })
    await assert.rejects(store.insert(second, anAuthor()), {
      code: 'MILL_MAPPING_CONFLICT',
      message: `An event source mapping with event source ("kafka:1000,kafka:2000"), function ("${first.spec.functionArn}"), topics ("orders") already exists. Please update or delete the existing mapping with UUID ${first.uuid}`
    })
    assert.equal(await store.get(second.uuid), undefined)
    await store.insert(aMapping({ source: { kind: 'self-managed', bootstrapServers: ['kafka:3000'] } }), anAuthor())
    await store.insert(aMapping({ topic: 'other' }), anAuthor({ atMs: 1 }))
    await store.insert(aMapping({ functionArn: 'another' }), anAuthor())
  })

  test(`${name}: refuses one consumer group in two mappings of a cluster`, async () => {
    await using store = await open()
    await store.insert(aMapping({ consumerGroupId: 'g' }), anAuthor())
    await assert.rejects(store.insert(aMapping({ consumerGroupId: 'g', topic: 'other' }), anAuthor()), {
      code: 'MILL_GROUP_CONFLICT'
    })
    await store.insert(
      aMapping({ consumerGroupId: 'g', source: { kind: 'self-managed', bootstrapServers: ['elsewhere:9092'] } }),
      anAuthor()
    )
  })

  test(`${name}: a change of function can conflict, a change of anything else cannot`, async () => {
    await using store = await open()
    const first = aMapping({ functionArn: 'f' })
    const second = aMapping({ functionArn: 'g' })
    for (const mapping of [first, second]) await store.insert(mapping, anAuthor())
    await assert.rejects(store.update(second.uuid, 1, { spec: { ...second.spec, functionArn: 'f' } }, anAuthor()), {
      code: 'MILL_MAPPING_CONFLICT'
    })
    assert.deepEqual(await store.get(second.uuid), second)
    assert.equal(
      (await store.update(second.uuid, 1, { spec: { ...second.spec, batchSize: 5 } }, anAuthor()))?.version,
      2
    )
  })

  test(`${name}: announces every change after it can be read, and none to a watcher that left`, async () => {
    await using store = await open()
    const mapping = aMapping()
    const seen: string[] = []
    const gone: string[] = []
    const stop = store.watch(uuid => seen.push(uuid))
    store.watch(uuid => gone.push(uuid))()
    store.watch(() => {
      throw new Error('a watcher that fails')
    })
    await store.insert(mapping, anAuthor())
    await store.update(mapping.uuid, 1, { state: 'Enabled' }, anAuthor())
    await store.update(mapping.uuid, 1, { state: 'Disabled' }, anAuthor())
    await store.remove(mapping.uuid, 2, anAuthor())
    assert.deepEqual(seen, [mapping.uuid, mapping.uuid, mapping.uuid])
    assert.deepEqual(gone, [])
    stop()
    stop()
  })

  test(`${name}: of two writers at one version one wins`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    const answers = await Promise.all([
      store.update(mapping.uuid, 1, { state: 'Enabled' }, anAuthor()),
      store.update(mapping.uuid, 1, { state: 'Disabled' }, anAuthor())
    ])
    assert.equal(answers.filter(answer => answer !== undefined).length, 1)
  })

  test(`${name}: says so when it is used after it was closed`, async () => {
    const store = await open()
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await assert.rejects(store.get('x'), { code: 'MILL_STORE_UNAVAILABLE' })
  })

  test(`${name}: keeps who changed what, from what to what, oldest first, also of a mapping that has gone`, async () => {
    await using store = await open()
    const mapping = aMapping({ tags: { b: '1', a: '2' } })
    await store.insert(mapping, anAuthor({ operation: 'CreateEventSourceMapping20150331', atMs: 1 }))
    const spec = { ...mapping.spec, batchSize: 7, windowSeconds: 0, tags: { a: '2', b: '1' } }
    await store.update(mapping.uuid, 1, { spec }, anAuthor({ who: 'bob', atMs: 2 }))
    const settle = anAuthor({ who: 'fleet', operation: 'StateTransition', atMs: 3 })
    await store.update(mapping.uuid, 2, { state: 'Enabled' }, settle)
    await store.remove(mapping.uuid, 3, anAuthor({ who: 'fleet', operation: 'Removal', atMs: 4 }))
    const { entries, next } = await store.history(mapping.uuid, 10)
    assert.equal(next, undefined)
    assert.deepEqual(
      entries.map(({ who, operation, atMs }) => [atMs, who, operation]),
      [
        [1, 'alice', 'CreateEventSourceMapping20150331'],
        [2, 'bob', 'UpdateEventSourceMapping20150331'],
        [3, 'fleet', 'StateTransition'],
        [4, 'fleet', 'Removal']
      ]
    )
    const [created, updated, settled, removed] = entries.map(entry => entry.changes)
    assert.deepEqual(
      created?.find(change => change.field === 'Tags'),
      { field: 'Tags', to: { a: '2', b: '1' } }
    )
    assert.deepEqual(updated, [
      { field: 'BatchSize', from: 100, to: 7 },
      { field: 'MaximumBatchingWindowInSeconds', to: 0 }
    ])
    assert.deepEqual(settled, [{ field: 'State', from: 'Creating', to: 'Enabled' }])
    assert.deepEqual(
      removed?.find(change => change.field === 'BatchSize'),
      { field: 'BatchSize', from: 7 }
    )
  })

  test(`${name}: what was not changed is not in the history, nor is what was refused`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor())
    await store.update(mapping.uuid, 5, { state: 'Enabled' }, anAuthor())
    await store.remove(mapping.uuid, 5, anAuthor())
    const rival = aMapping({ consumerGroupId: mapping.spec.consumerGroupId })
    await assert.rejects(store.insert(rival, anAuthor()))
    assert.equal((await store.history(mapping.uuid, 10)).entries.length, 1)
    assert.deepEqual(await store.history(rival.uuid, 10), { entries: [] })
    assert.deepEqual(await store.history('none', 10), { entries: [] })
  })

  test(`${name}: a history comes page by page`, async () => {
    await using store = await open()
    const mapping = aMapping()
    await store.insert(mapping, anAuthor({ atMs: 1 }))
    await store.insert(aMapping({ topic: 'other' }), anAuthor({ atMs: 1 }))
    for (let n = 2; n <= 4; n++) await store.update(mapping.uuid, n - 1, { tags: { n: `${n}` } }, anAuthor({ atMs: n }))
    const first = await store.history(mapping.uuid, 2)
    const second = await store.history(mapping.uuid, 2, first.next)
    const times = [first, second].map(page => page.entries.map(entry => entry.atMs))
    assert.deepEqual(
      [times, second.next],
      [
        [
          [1, 2],
          [3, 4]
        ],
        undefined
      ]
    )
    await assert.rejects(store.history(mapping.uuid, 2, 'nonsense'), { code: 'MILL_PARAMETER_INVALID' })
  })

  test(`${name}: forgets what is too old or too much, and lets no result push out who changed what`, async () => {
    await using store = await open()
    const mapping = aMapping()
    const day = 86_400_000
    await store.insert(mapping, anAuthor({ atMs: 0 }))
    await store.update(mapping.uuid, 1, { tags: { a: '' } }, anAuthor({ atMs: 2 * day }))
    for (let n = 0; n <= keptEntries.fleet; n++) {
      const change = { lastProcessingResult: n % 2 === 0 ? 'OK' : 'PROBLEM: Connection error.' }
      const author = anAuthor({ who: 'fleet', operation: 'ProcessingResult', atMs: 91 * day + n })
      await store.update(mapping.uuid, n + 2, change, author)
    }
    const { entries } = await store.history(mapping.uuid, 1_000)
    assert.deepEqual(
      [entries.length, entries[0]?.atMs, entries[1]?.atMs, entries.at(-1)?.atMs],
      [keptEntries.fleet + 1, 2 * day, 91 * day + 1, 91 * day + keptEntries.fleet]
    )
  })
}
