import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  decodeCooperativeStickyGeneration,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription
} from '@platformatic/kafka'
import type { Assignment, GroupMember } from './assignor.ts'

/** Version 1 has owned partitions (KIP-429), 2 the generation, 3 the rack. */
const subscriptionVersion = 3

/** What we say when we join: what we want, what we have, and since when. */
export function encodeSubscription(topic: string, owned: readonly number[], generation: number): Buffer {
  // Java's assignor of before Kafka 3.4 looks for the generation in the user data.
  const userData = Buffer.alloc(4)
  userData.writeInt32BE(generation)
  return encodeConsumerProtocolSubscription({
    version: subscriptionVersion,
    topics: [topic],
    userData,
    ownedPartitions: owned.length === 0 ? [] : [{ topic, partitions: [...owned] }],
    generationId: generation
  })
}

/** What a member, ours or any other client's, said when it joined. */
export function decodeMember(memberId: string, metadata: Buffer): GroupMember {
  const said = decodeConsumerProtocolSubscription(metadata)
  return {
    memberId,
    topics: said.topics,
    owned: new Map(said.ownedPartitions.map(({ topic, partitions }) => [topic, partitions])),
    generation: said.generationId >= 0 ? said.generationId : decodeCooperativeStickyGeneration(said.userData)
  }
}

export function encodeAssignment(assignment: Assignment): Buffer {
  const assignedPartitions = [...assignment].map(([topic, partitions]) => ({ topic, partitions }))
  return encodeConsumerProtocolAssignment({ version: subscriptionVersion, assignedPartitions })
}

/** The partitions of `topic` in an assignment. Empty bytes: nothing was assigned. */
export function decodeAssignment(assignment: Buffer, topic: string): number[] {
  if (assignment.length === 0) return []
  const { assignedPartitions } = decodeConsumerProtocolAssignment(assignment)
  return assignedPartitions.filter(each => each.topic === topic).flatMap(each => each.partitions)
}
