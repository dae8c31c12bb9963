import { alterPartitionReassignmentsV0, Connection } from '@platformatic/kafka'
import { eventually } from '../poll.ts'
import { brokerMetadata } from './kafka-client.ts'

const timeoutMs = 30_000

/**
 * Gives each of these partitions (all unless given) another leader while nothing is down: the leader's copy is taken away
 * and made anew. Returns when all copies are in sync again.
 */
export async function moveLeaders(bootstrap: readonly string[], topic: string, only?: number): Promise<void> {
  const before = (await partitionsOf(bootstrap, topic)).filter(each => only === undefined || each.partition === only)
  const others = before.map(({ partition, leader, replicas }) => ({
    partition,
    replicas: replicas.filter(broker => broker !== leader)
  }))
  await reassign(bootstrap, topic, others)
  const leaders = new Map(before.map(({ partition, leader }) => [partition, leader]))
  await settles(bootstrap, topic, others, (partition, leader) => leader >= 0 && leader !== leaders.get(partition))
  const whole = before.map(({ partition, leader }, index) => ({
    partition,
    replicas: [...others[index]!.replicas, leader]
  }))
  await reassign(bootstrap, topic, whole)
  await settles(bootstrap, topic, whole, (_, leader) => leader >= 0)
}

/** Returns when every copy of these topics is in sync: the next broker may be lost. */
export async function allInSync(bootstrap: readonly string[], topics: readonly string[]): Promise<void> {
  for (const topic of topics) await settles(bootstrap, topic, [], (_, leader) => leader >= 0)
}

interface Placement {
  readonly partition: number
  readonly replicas: readonly number[]
}

async function settles(
  bootstrap: readonly string[],
  topic: string,
  wanted: readonly Placement[],
  fits: (partition: number, leader: number) => boolean
): Promise<void> {
  const placed = new Map(wanted.map(({ partition, replicas }) => [partition, replicas]))
  const done = async () =>
    (await partitionsOf(bootstrap, topic)).every(({ partition, leader, replicas, inSync }) => {
      const goal = placed.get(partition) ?? replicas
      const same = replicas.length === goal.length && goal.every(broker => inSync.includes(broker))
      return same && fits(partition, leader)
    })
  await eventually(done, { describe: `${topic} has its new leaders`, timeoutMs, intervalMs: 100 })
}

async function partitionsOf(bootstrap: readonly string[], topic: string) {
  const { topics } = await firstThatAnswers(bootstrap, address => brokerMetadata(address, [topic]))
  return (topics[0]?.partitions ?? []).map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
    partition: partitionIndex,
    leader: leaderId,
    replicas: replicaNodes,
    inSync: isrNodes
  }))
}

async function reassign(bootstrap: readonly string[], topic: string, placements: readonly Placement[]): Promise<void> {
  await firstThatAnswers(bootstrap, async address => {
    const { hostname, port } = new URL(`kafka://${address}`)
    const connection = new Connection('millrace-test', { connectTimeout: 2_000, requestTimeout: 10_000 })
    try {
      await connection.connect(hostname, Number(port))
      const partitions = placements.map(({ partition, replicas }) => ({
        partitionIndex: partition,
        replicas: [...replicas]
      }))
      await alterPartitionReassignmentsV0.api.async(connection, 10_000, true, [{ name: topic, partitions }])
    } finally {
      await connection.close()
    }
  })
}

async function firstThatAnswers<T>(bootstrap: readonly string[], ask: (address: string) => Promise<T>): Promise<T> {
  let last: unknown
  for (const address of bootstrap) {
    try {
      return await ask(address)
    } catch (error) {
      last = error
    }
  }
  throw new Error('no broker answers', { cause: last })
}
