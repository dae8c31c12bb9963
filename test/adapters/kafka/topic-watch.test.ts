import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster, TopicInfo } from '../../../src/adapters/kafka/cluster.ts'
import { ProblemBoard } from '../../../src/adapters/kafka/problems.ts'
import { TopicWatch } from '../../../src/adapters/kafka/topic-watch.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { eventually } from '../../support/poll.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const orders = (id: string, leader: number, leaderEpoch: number): TopicInfo => ({
  name: 'orders',
  id,
  partitions: new Map([[0, { leader, leaderEpoch }]])
})

test('a leader that was replaced is not gone back to, however outdated the broker; one of a topic made anew is', async t => {
  const told = [orders('a', 1, 6), orders('a', 2, 7), orders('a', 1, 6), orders('a', 3, 8), orders('b', 1, 0)]
  const heard: (readonly number[])[] = []
  const cluster = { topics: async () => new Map([['orders', told[heard.length]]]) } as unknown as Cluster
  const watch: TopicWatch = new TopicWatch('orders', 1, {
    cluster,
    clock: systemClock,
    log: new RecordingLog(),
    problems: new ProblemBoard(() => undefined, systemClock),
    changed: ({ partitions }) => {
      const { leader, leaderEpoch } = partitions.get(0)!
      heard.push([leader, leaderEpoch])
      if (heard.length === told.length) watch.stop()
    }
  })
  t.after(() => watch.stop())
  watch.start()
  await eventually(() => heard.length === told.length, { describe: 'all told', intervalMs: 5 })
  assert.deepEqual(heard, [
    [1, 6],
    [2, 7],
    [2, 7],
    [3, 8],
    [1, 0]
  ])
})
