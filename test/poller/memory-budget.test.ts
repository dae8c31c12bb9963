import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EventBuffers } from '../../src/poller/event-buffers.ts'
import { type MemoryAccount, MemoryBudget } from '../../src/poller/memory-budget.ts'
import type { MemoryUse } from '../../src/ports/memory.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'

const miB = 1 << 20
/** What a poller that holds nothing may fetch whatever others hold. */
const leastPollBytes = 64 << 10
const pollBytes = 4 * miB

/** Fetches until there is no room: as a poller with a backlog whose function hangs. */
function fillUp(account: MemoryAccount): void {
  while (account.hasRoomFor('fetch')) {
    const reserved = account.reserve(pollBytes, false)
    account.hold(reserved)
    account.release(reserved)
  }
}

describe('memory of all pollers', () => {
  test('one poller alone may hold two thirds of what is for records', () => {
    const account = new MemoryBudget(240 * miB).open()
    fillUp(account)
    assert.ok(Math.abs(account.heldBytes - 70 * miB) < miB, `${account.heldBytes}`)
    assert.equal(account.shareBytes, 70 * miB)
  })

  test('who comes later gets a share although nobody gives anything back', () => {
    const budget = new MemoryBudget(256 * miB)
    const held = Array.from({ length: 5 }, () => {
      const account = budget.open()
      fillUp(account)
      return account.heldBytes / miB
    })
    assert.ok(
      held.every(each => each > 0.5),
      held.join()
    )
    assert.ok(budget.use.fetchedBytes <= 112 * miB)
  })

  test('what one gives back is the others’ at once', async () => {
    const budget = new MemoryBudget(256 * miB)
    const [first, second] = [budget.open(), budget.open()]
    fillUp(first)
    fillUp(second)
    const before = second.heldBytes
    first.free(first.heldBytes)
    fillUp(second)
    assert.ok(second.heldBytes > 2 * before, `${before} → ${second.heldBytes}`)
  })

  test('a partition holds no more than 12 MiB, and less as its poller’s memory fills', () => {
    const account = new MemoryBudget(256 * miB).open()
    assert.equal(account.partitionBytes, 12 * miB)
    fillUp(account)
    assert.ok(account.partitionBytes < miB)
  })

  test('a poller that was refused is told once when there is room, and not before', async () => {
    const budget = new MemoryBudget(16 * miB)
    let told = 0
    const account = budget.open(() => told++)
    fillUp(account)
    account.wait('fetch')
    await settled()
    assert.equal(told, 0)
    account.free(miB)
    account.free(miB)
    await settled()
    assert.equal(told, 1)
    account.free(miB)
    await settled()
    assert.equal(told, 1)
  })

  test('a poller that has been closed is told nothing', async () => {
    const budget = new MemoryBudget(16 * miB)
    let told = 0
    const account = budget.open(() => told++)
    fillUp(account)
    account.wait('fetch')
    account.close()
    account.free(miB)
    await settled()
    assert.deepEqual([told, budget.use.fetchedBytes], [0, account.heldBytes])
  })

  test('polls that most likely bring nothing leave half to others, however many they are', () => {
    const budget = new MemoryBudget(256 * miB)
    const idle = Array.from({ length: 1_000 }, () => budget.open())
    const reserved = idle.map(account => account.reserve(pollBytes, true))
    // Each comes back once, as long polls do.
    idle.forEach((account, index) => {
      account.release(reserved[index]!)
      reserved[index] = account.reserve(pollBytes, true)
    })
    assert.ok(budget.use.fetchedBytes <= 112 * miB * 0.75, `${budget.use.fetchedBytes}`)
    assert.ok(budget.open().reserve(pollBytes, false) === pollBytes)
  })

  test('events that are out are counted until they are given back, and hold up further calls', async () => {
    const budget = new MemoryBudget(48 * miB)
    const buffers = new EventBuffers(budget.events)
    const account = budget.open()
    const out = [buffers.take(6 * miB), buffers.take(6 * miB)]
    assert.equal(account.hasRoomFor('events'), true)
    out.push(buffers.take(6 * miB))
    assert.equal(account.hasRoomFor('events'), false)
    assert.equal(account.eventBytes, (15 * miB) / 4, 'of a call that is made all the same')
    budget.open()
    assert.equal(account.eventBytes, (15 * miB) / 8)
    for (const buffer of out) buffers.giveBack(buffer)
    assert.deepEqual([budget.use.eventBytes, account.hasRoomFor('events')], [0, true])
  })

  test('what is written into and not in use stays within its bound', () => {
    const buffers = new EventBuffers(undefined, miB)
    const out = Array.from({ length: 10 }, () => buffers.take(200_000))
    for (const buffer of out) buffers.giveBack(buffer)
    assert.equal(buffers.idleBytes, miB)
    assert.equal(new Set(Array.from({ length: 5 }, () => buffers.take(200_000))).size, 5)
  })

  test('what other threads hold counts, and whether they have freed it is looked at', async () => {
    const clock = new FakeClock()
    let others: MemoryUse = { fetchedBytes: 112 * miB, eventBytes: 0, polls: 3, pollers: 1 }
    const published: MemoryUse[] = []
    const process = { others: () => others, publish: (use: MemoryUse) => published.push(use) }
    const budget = new MemoryBudget(256 * miB, { process, clock })
    let told = 0
    const account = budget.open(() => told++)
    account.hold(miB)
    assert.equal(account.hasRoomFor('fetch'), false)
    account.wait('fetch')
    await clock.advance(1_000)
    assert.equal(told, 0)
    others = { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 0 }
    await clock.advance(100)
    assert.deepEqual([told, clock.waiting], [1, 0])
    assert.deepEqual(published.at(-1), { fetchedBytes: miB, eventBytes: 0, polls: 0, pollers: 1 })
  })
})

test('what is held stays under the budget and one least fetch for each poller and broker, whatever pollers come and go', () => {
  const poller = fc.nat({ max: 19 })
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('poll' as const), poller, idle: fc.boolean() }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('answer' as const),
        poller,
        share: fc.double({ min: 0, max: 1, noNaN: true })
      })
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), poller }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), poller }) }
  )
  const budgetBytes = fc.integer({ min: 16 * miB, max: 256 * miB })
  fc.assert(
    fc.property(budgetBytes, fc.array(step, { maxLength: 400 }), (bytes, steps) => {
      const budget = new MemoryBudget(bytes)
      const open = () => ({ account: budget.open(), polls: [] as number[], blocks: [] as number[] })
      const pollers = Array.from({ length: 20 }, open)
      for (const step of steps) {
        const { account, polls, blocks } = pollers[step.poller]!
        if (step.kind === 'poll') {
          if (polls.length < 3 && account.hasRoomFor('fetch')) polls.push(account.reserve(pollBytes, step.idle))
        } else if (step.kind === 'answer') {
          const reserved = polls.shift()
          if (reserved === undefined) continue
          const size = Math.floor(reserved * step.share)
          account.release(reserved)
          account.hold(size)
          blocks.push(size)
        } else if (step.kind === 'finish') account.free(blocks.shift() ?? 0)
        else {
          for (const reserved of polls) account.release(reserved)
          for (const block of blocks) account.free(block)
          account.close()
          pollers[step.poller] = open()
        }
        const counted = pollers.reduce((sum, { account }) => sum + account.heldBytes, 0)
        assert.equal(budget.use.fetchedBytes, counted)
        assert.ok(counted <= (bytes * 7) / 16 + 20 * 3 * leastPollBytes, `${counted} of ${bytes}`)
      }
      for (const { account, polls, blocks } of pollers) {
        for (const reserved of polls) account.release(reserved)
        for (const block of blocks) account.free(block)
      }
      assert.deepEqual(budget.use, { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 20 })
    })
  )
})
