import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { assignCooperatively } from '../../../src/adapters/kafka/assignor.ts'
import type { GroupMember } from '../../../src/adapters/kafka/assignor.ts'

const ascending = (a: number, b: number): number => a - b

const member = (
  memberId: string,
  owned: readonly number[] = [],
  generation = owned.length > 0 ? 1 : -1
): GroupMember => ({
  memberId,
  topics: ['orders'],
  owned: new Map([['orders', owned]]),
  generation
})

const assign = (members: readonly GroupMember[], count: number) =>
  new Map(
    [...assignCooperatively(members, new Map([['orders', count]]))].map(([memberId, assignment]) => [
      memberId,
      assignment.get('orders') ?? []
    ])
  )

/** The next round: everybody owns what the last one gave. */
const rejoined = (assigned: ReadonlyMap<string, readonly number[]>, generation: number): GroupMember[] =>
  [...assigned].map(([memberId, owned]) => member(memberId, owned, generation))

suite('the cooperative sticky assignor', () => {
  test('shares evenly, and everything, among newcomers', () => {
    const assigned = assign([member('a'), member('b'), member('c')], 7)
    assert.deepEqual([...assigned.values()].map(each => each.length).sort(ascending), [2, 2, 3])
    assert.deepEqual([...assigned.values()].flat().sort(ascending), [0, 1, 2, 3, 4, 5, 6])
  })

  test('a partition that moves is held back until its owner has rejoined without it', () => {
    const first = assign([member('a', [0, 1, 2, 3]), member('b')], 4)
    assert.equal(first.get('a')!.length, 2)
    assert.deepEqual(first.get('b'), [])
    const second = assign(rejoined(first, 2), 4)
    assert.equal(second.get('b')!.length, 2)
    assert.deepEqual([...second.values()].flat().sort(ascending), [0, 1, 2, 3])
  })

  test('a newcomer gets its share also when nobody has more than the average rounded up', () => {
    const first = assign([member('a', [0, 1]), member('b', [2, 3]), member('c')], 4)
    const second = assign(rejoined(first, 2), 4)
    assert.equal(second.get('c')!.length, 1)
  })

  test('of two claims the newer generation counts; of two equal ones neither, and nobody gets it at once', () => {
    assert.deepEqual(assign([member('a', [0], 4), member('b', [0], 5)], 1).get('b'), [0])
    const contested = assign([member('a', [0], 5), member('b', [0], 5)], 1)
    assert.deepEqual([...contested.values()].flat(), [])
  })

  test('members get partitions of the topics they asked for, and of no others', () => {
    const members: GroupMember[] = [
      member('a'),
      { memberId: 'b', topics: ['orders', 'bills'], owned: new Map(), generation: -1 },
      { memberId: 'c', topics: ['bills'], owned: new Map(), generation: -1 }
    ]
    const assigned = assignCooperatively(
      members,
      new Map([
        ['orders', 4],
        ['bills', 2],
        ['unread', 9]
      ])
    )
    assert.ok(!assigned.get('a')!.has('bills'))
    assert.deepEqual([...assigned.values()].flatMap(each => each.get('bills') ?? []).sort(ascending), [0, 1])
    assert.deepEqual([...assigned.values()].flatMap(each => each.get('orders') ?? []).sort(ascending), [0, 1, 2, 3])
    assert.ok([...assigned.values()].every(each => !each.has('unread')))
  })

  test('whoever joins, leaves or claims: never two owners, and two rounds later all is shared out evenly and stays', () => {
    const claims = fc.array(fc.array(fc.nat(11), { maxLength: 6 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(
        claims,
        fc.integer({ min: 0, max: 12 }),
        fc.array(fc.integer({ min: 1, max: 3 })),
        (owned, count, generations) => {
          const members = owned.map((each, index) => member(`m${index}`, [...new Set(each)], generations[index] ?? 1))
          let assigned = assign(members, count)
          for (const [memberId, partitions] of assigned) {
            const others = members.filter(each => each.memberId !== memberId)
            const newest = (partition: number) =>
              Math.max(
                ...others.filter(each => each.owned.get('orders')!.includes(partition)).map(each => each.generation)
              )
            const own = members.find(each => each.memberId === memberId)!
            for (const partition of partitions)
              assert.ok(
                newest(partition) < own.generation ||
                  !others.some(each => each.owned.get('orders')!.includes(partition))
              )
          }
          for (let round = 10; round < 13; round++) {
            const given = [...assigned.values()].flat()
            assert.equal(new Set(given).size, given.length)
            assigned = assign(rejoined(assigned, round), count)
          }
          assert.deepEqual(
            [...assigned.values()].flat().sort(ascending),
            Array.from({ length: count }, (_, partition) => partition)
          )
          const loads = [...assigned.values()].map(each => each.length)
          assert.ok(Math.max(...loads) - Math.min(...loads) <= 1)
          assert.deepEqual(assign(rejoined(assigned, 20), count), assigned)
        }
      )
    )
  })
})
