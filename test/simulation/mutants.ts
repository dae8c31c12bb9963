import { BatchAssembler } from '../../src/core/batch/assembler.ts'
import { Lane } from '../../src/core/batch/lane.ts'
import { OffsetLedger } from '../../src/core/offsets/ledger.ts'
import { sliceOffsets } from '../../src/core/record.ts'
import { Committer } from '../../src/poller/committer.ts'
import { type OwnedPartition, OwnedPartitions, OwnedPartition as Owned } from '../../src/poller/owned-partitions.ts'
import { exchange, mishearing, returned } from './exchange.ts'
import { failureMutants } from './failure-mutants.ts'
import { kafkaMutants } from './kafka-mutants.ts'
import type { Mutant, SimParts } from './sim-process.ts'

/** Does something with each partition that a poller begins to own. */
const onOwned = (change: (owned: OwnedPartition, others: OwnedPartitions) => void) =>
  exchange(
    OwnedPartitions.prototype,
    'add',
    add =>
      function (this: OwnedPartitions, assigned) {
        const owned = add.call(this, assigned)
        change(owned, this)
        return owned
      }
  )

/** Lets a lane answer `value` for one of its flags, whatever is written. */
const pretend = (lane: Lane, flag: 'busy' | 'leaving' | 'closed', value: (lane: Lane, written: boolean) => boolean) => {
  let written: boolean = lane[flag]
  Object.defineProperty(lane, flag, {
    get: () => value(lane, written),
    set: (next: boolean) => {
      written = next
    }
  })
}

/** Bugs of others, and of ours as they might come: each has to be found by the checker. */
export const mutants: readonly Mutant[] = [
  {
    name: 'commits what was fetched, before it is settled',
    plant: () =>
      exchange(
        Owned.prototype,
        'receive',
        receive =>
          function (this: OwnedPartition, block, now) {
            receive.call(this, block, now)
            this.ledger.settled(0, block.nextOffset)
          }
      )
  },
  {
    name: 'commits the highest offset seen when a partition is revoked',
    plant: () =>
      exchange(
        Committer.prototype,
        'flush',
        flush =>
          function (this: Committer, partitions) {
            for (const { lane, ledger } of partitions) if (lane.leaving) ledger.settled(0, ledger.next)
            return flush.call(this, partitions)
          }
      )
  },
  {
    name: 'an answer that comes after its partition has gone settles in the next ownership',
    plant: () => {
      const latest = new Map<OwnedPartitions, Map<number, OwnedPartition>>()
      return onOwned((owned, all) => {
        const mine = latest.get(all) ?? new Map<number, OwnedPartition>()
        latest.set(all, mine.set(owned.partition, owned))
        const forget = owned.forget.bind(owned)
        owned.forget = slice => {
          const now = mine.get(owned.partition)
          if (now !== undefined && now !== owned && owned.lane.closed) {
            const { first, next } = sliceOffsets(slice)
            now.ledger.settled(first, next)
          }
          forget(slice)
        }
      })
    }
  },
  {
    name: 'an answer that comes after a cut settles the records that came instead',
    plant: () =>
      onOwned(owned => {
        owned.settle = slice => {
          const { first, next } = sliceOffsets(slice)
          owned.ledger.settled(first, next)
          owned.forget(slice)
        }
      })
  },
  {
    name: 'takes records for finished that were written where finished ones had been cut',
    firstSeed: 3_800,
    plant: () =>
      exchange(
        Owned.prototype,
        'receive',
        receive =>
          function (this: OwnedPartition, block, now) {
            Object.defineProperty(block, 'leaderEpoch', { value: 0 })
            receive.call(this, block, now)
          }
      )
  },
  {
    name: 'retries after its partition was lost',
    plant: () => onOwned(({ lane }) => pretend(lane, 'leaving', ({ closed }, written) => written && !closed))
  },
  {
    name: 'retries while its partition is being revoked',
    plant: () =>
      exchange(
        BatchAssembler.prototype,
        'withdraw',
        withdraw =>
          function (this: BatchAssembler, lane) {
            withdraw.call(this, lane)
            if (lane.busy) lane.leaving = false
          }
      )
  },
  {
    name: 'two batches of one partition at once',
    plant: () => onOwned(({ lane }) => pretend(lane, 'busy', () => false))
  },
  {
    name: 'puts back to the tail what a batch could not hold',
    plant: () =>
      exchange(
        Lane.prototype,
        'putBack',
        () =>
          function (this: Lane, slices, arrivedAt) {
            for (const slice of slices) this.add(slice, arrivedAt)
          }
      )
  },
  ...failureMutants,
  ...kafkaMutants,
  {
    name: 'loses the timer of a window when a partition goes',
    plant: () => {
      const forgetful = new WeakSet<BatchAssembler>()
      const deciding = new WeakSet<BatchAssembler>()
      const undo = [
        exchange(
          BatchAssembler.prototype,
          'withdraw',
          withdraw =>
            function (this: BatchAssembler, lane) {
              forgetful.add(this)
              withdraw.call(this, lane)
            }
        ),
        exchange(
          BatchAssembler.prototype,
          'next',
          next =>
            function (this: BatchAssembler, now, short) {
              deciding.add(this)
              const batch = next.call(this, now, short)
              deciding.delete(this)
              return batch
            }
        ),
        exchange(
          BatchAssembler.prototype,
          'deadline',
          deadline =>
            function (this: BatchAssembler) {
              return !deciding.has(this) && forgetful.delete(this) ? undefined : deadline.call(this)
            }
        )
      ]
      return () => undo.reverse().forEach(takeOut => takeOut())
    }
  },
  {
    name: 'releases a block twice',
    plant: () =>
      exchange(
        Owned.prototype,
        'forget',
        forget =>
          function (this: OwnedPartition, slice) {
            forget.call(this, slice)
            if (this.lane.leaving) slice.block.finish(slice.to - slice.from)
          }
      )
  },
  {
    name: 'never releases what a lost partition had in flight',
    plant: () =>
      exchange(
        Owned.prototype,
        'forget',
        forget =>
          function (this: OwnedPartition, slice) {
            if (!this.lane.closed) forget.call(this, slice)
          }
      )
  },
  {
    name: 'takes a lost partition for a revoked one, and commits it',
    poller: poller => {
      poller.lost = partitions => void poller.revoked(partitions)
    }
  },
  {
    name: 'forgets that a partition was lost',
    poller: poller => {
      poller.lost = () => undefined
    }
  },
  {
    name: 'takes a failure for a success',
    parts: mishearing(reply => (reply.kind === 'function-error' ? returned : reply))
  },
  {
    name: 'takes a time-out for a success',
    parts: mishearing(reply => (reply.kind === 'timed-out' ? returned : reply))
  },
  {
    name: 'gives partitions up without waiting for what is in flight',
    poller: poller => {
      const revoked = poller.revoked.bind(poller)
      poller.revoked = partitions => {
        void revoked(partitions)
        return Promise.resolve()
      }
    }
  },
  {
    name: 'gives partitions up without committing them',
    plant: () =>
      exchange(
        Committer.prototype,
        'flush',
        flush =>
          function (this: Committer, partitions) {
            return partitions.some(({ lane }) => lane.leaving) ? Promise.resolve(true) : flush.call(this, partitions)
          }
      )
  },
  {
    name: 'waits for a call in flight for ever when partitions go',
    parts: parts => {
      parts.drainMs = 10_000_000
    }
  },
  {
    name: 'makes one call more at a time than it may',
    parts: parts => {
      parts.parallelizationFactor++
    }
  },
  {
    name: 'waits for offsets that a transaction left out',
    plant: () => exchange(OffsetLedger.prototype, 'skipped', () => () => undefined)
  },
  {
    name: 'does not fetch again a partition that was full',
    parts: parts => {
      parts.consumer = Object.create(parts.consumer, { resume: { value: () => undefined } }) as SimParts['consumer']
    }
  },
  {
    name: 'goes on above a cut as if the log had not been cut',
    plant: () => exchange(Owned.prototype, 'cut', () => () => undefined)
  },
  {
    name: 'commits once and never again',
    plant: () => exchange(Committer.prototype, 'note', () => () => undefined)
  }
]
