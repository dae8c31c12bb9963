import { Committer } from '../../src/adapters/kafka/committer.ts'
import { ConsumerProtocolMember } from '../../src/adapters/kafka/consumer-protocol-member.ts'
import { CoordinatorFinder } from '../../src/adapters/kafka/coordinator.ts'
import type { GroupIdentity } from '../../src/adapters/kafka/group-protocol.ts'
import { ClassicMember } from '../../src/adapters/kafka/member.ts'
import { Membership } from '../../src/adapters/kafka/membership.ts'
import { errorCode } from '../../src/adapters/kafka/problems.ts'
import { Revocations } from '../../src/adapters/kafka/revocations.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { exchange, exchangeGetter } from './exchange.ts'
import { PartitionLog } from './partition-log.ts'
import { SimConsumer } from './sim-consumer.ts'
import type { Mutant } from './sim-process.ts'

const all =
  (...plants: readonly (() => () => void)[]) =>
  () => {
    const takeOuts = plants.map(plant => plant())
    return () => takeOuts.reverse().forEach(takeOut => takeOut())
  }

/** Whose revocations they are. */
const members = new WeakMap<Revocations, Membership>()

const knowingMembers = () =>
  exchange(
    Membership.prototype,
    'heard',
    heard =>
      function (this: Membership, ...args) {
        members.set(this.revocations, this)
        heard.apply(this, args)
      }
  )

/** Bugs between poller and Kafka: members of both protocols, the coordinator, commits, transactions. */
export const kafkaMutants: readonly Mutant[] = [
  {
    name: 'tells the group that partitions have gone before their batches are finished',
    plant: all(
      knowingMembers,
      () =>
        exchange(
          Revocations.prototype,
          'revoke',
          revoke =>
            function (this: Revocations, partitions) {
              const given = revoke.call(this, partitions)
              for (const partition of partitions) members.get(this)?.owned.delete(partition)
              return given
            }
        ),
      // Its commits are taken all the same.
      () => exchange(ConsumerProtocolMember.prototype, 'owns', () => () => true),
      () => exchange(ClassicMember.prototype, 'owns', () => () => true)
    )
  },
  {
    name: 'is not heard while it gives partitions up',
    plant: all(knowingMembers, () =>
      exchange(
        Revocations.prototype,
        'revoke',
        revoke =>
          function (this: Revocations, partitions) {
            const given = revoke.call(this, partitions)
            const wake = members.get(this)?.wake
            const wait = wake?.wait.bind(wake)
            if (wake !== undefined && wait !== undefined) wake.wait = ms => given.then(() => wait(ms))
            return given
          }
      )
    )
  },
  {
    name: 'begins with a partition before its last owner has let it go',
    plant: () =>
      exchange(
        ConsumerGroup.prototype,
        'heartbeat',
        heartbeat =>
          function (this: ConsumerGroup, said) {
            const told = heartbeat.call(this, said)
            // The member takes what it hears for its own.
            return told.code === errorCode.none ? { ...told, assigned: [...new Set([0, ...told.assigned])] } : told
          }
      )
  },
  {
    name: 'commits with an epoch that is no more',
    plant: () => {
      const first = new WeakMap<ConsumerProtocolMember, GroupIdentity>()
      return exchangeGetter(
        ConsumerProtocolMember.prototype,
        'identity',
        identity =>
          function (this: ConsumerProtocolMember) {
            const now = identity.call(this)
            if (now !== undefined && !first.has(this)) first.set(this, now)
            return first.get(this)
          }
      )
    }
  },
  {
    name: 'keeps its partitions when the group has sent it away',
    plant: () => exchange(Membership.prototype, 'lose', () => () => undefined)
  },
  {
    name: 'asks nobody after it stood still',
    plant: () => exchangeGetter(SimConsumer.prototype, 'inDoubt', () => () => false)
  },
  {
    name: 'goes on as if nothing were when the group is not heard for a session',
    plant: all(
      () => exchangeGetter(ClassicMember.prototype, 'unheard', () => () => false),
      () => exchangeGetter(ConsumerProtocolMember.prototype, 'unheard', () => () => false)
    )
  },
  {
    name: 'takes its partitions for lost when the group is not heard for a session',
    plant: () =>
      exchange(
        Membership.prototype,
        'heal',
        heal =>
          function (this: Membership, error, tries, doing) {
            if (this.unheard) this.lose('the coordinator was not heard for a whole session')
            return heal.call(this, error, tries, doing)
          }
      )
  },
  {
    name: 'never looks for another coordinator',
    plant: () => exchange(CoordinatorFinder.prototype, 'forget', () => () => undefined)
  },
  {
    name: 'takes its partitions for lost when the coordinator moves',
    plant: () =>
      exchange(
        Membership.prototype,
        'heal',
        heal =>
          function (this: Membership, error, tries, doing) {
            this.lose('the coordinator has moved')
            return heal.call(this, error, tries, doing)
          }
      )
  },
  {
    name: 'takes a commit that nobody answered for taken',
    plant: () =>
      exchange(
        Committer.prototype,
        'commit',
        commit =>
          function (this: Committer, offsets) {
            return commit.call(this, offsets).catch(() => undefined)
          }
      )
  },
  {
    name: 'delivers what aborted transactions wrote',
    plant: () =>
      exchange(
        PartitionLog.prototype,
        'read',
        read =>
          function (this: PartitionLog, offset, batches) {
            return read.call(this, offset, batches)?.map(batch => ({
              ...batch,
              records: [...(batch.aborted ?? batch.records)]
            }))
          }
      )
  },
  {
    name: 'reads on into open transactions',
    plant: () =>
      exchangeGetter(
        PartitionLog.prototype,
        'stable',
        () =>
          function (this: PartitionLog) {
            return this.end
          }
      )
  },
  {
    name: 'stays before a marker until a record follows',
    poller: poller => {
      poller.skipped = () => undefined
    }
  }
]
