import { Lane } from '../../src/core/batch/lane.ts'
import { cutShares, sharesRecords } from '../../src/core/batch/shares.ts'
import { OffsetLedger } from '../../src/core/offsets/ledger.ts'
import type { Piece, Progress } from '../../src/core/offsets/progress.ts'
import { Work } from '../../src/core/retry/work.ts'
import { Delivery } from '../../src/poller/delivery.ts'
import { FailureRoute } from '../../src/poller/failure-route.ts'
import { exchange, mishearing, returned } from './exchange.ts'
import type { Mutant, SimParts } from './sim-process.ts'

/** The next owner is told something else. */
const telling = (change: (progress: Progress) => Progress) => () =>
  exchange(
    OffsetLedger.prototype,
    'progress',
    progress =>
      function (this: OffsetLedger) {
        return change(progress.call(this))
      }
  )

const withPieces = (change: (pieces: readonly Piece[]) => readonly Piece[]) =>
  telling(progress => ({ ...progress, pieces: change(progress.pieces) }))

/** The poller reaches its destination by another way. */
const redirecting =
  (deliver: (destination: NonNullable<SimParts['destination']>) => NonNullable<SimParts['destination']>['deliver']) =>
  (parts: SimParts) => {
    const { destination } = parts
    if (destination !== undefined)
      parts.destination = { deliver: deliver(destination), close: () => destination.close() }
  }

/** Bugs of retries, ages, halves, named items and destinations. */
export const failureMutants: readonly Mutant[] = [
  {
    name: 'forgets the attempts when a partition is revoked',
    plant: withPieces(pieces => pieces.map(piece => (piece.giveUp === undefined ? { ...piece, failures: 0 } : piece)))
  },
  {
    name: 'forgets when a partition is revoked that its records are given up, and calls again',
    plant: withPieces(pieces =>
      pieces.map(({ first, next, failures, giveUp }) => ({
        first,
        next,
        failures: giveUp === undefined ? failures : 0
      }))
    )
  },
  {
    name: 'forgets the halves when a partition is revoked',
    plant: withPieces(pieces => (pieces.length < 2 ? pieces : [{ ...pieces[0]!, next: pieces.at(-1)!.next }]))
  },
  {
    name: 'tells the next owner nothing of what is done above the offset',
    plant: telling(progress => ({ ...progress, done: [] }))
  },
  {
    name: 'delivers again what the last owner had done above the offset',
    plant: () => exchange(OffsetLedger.prototype, 'wasDone', () => () => false)
  },
  {
    name: 'lets the metadata overflow, which drops what is done',
    plant: () =>
      exchange(
        Lane.prototype,
        'take',
        take =>
          function (this: Lane, maxRecords, maxBytes, atLeastOne) {
            return take.call(this, maxRecords, maxBytes, atLeastOne)
          }
      )
  },
  {
    name: 'calls the second half first',
    plant: () =>
      exchange(
        Work.prototype,
        'apply',
        apply =>
          function (this: Work, step, giveUp) {
            const item = this.current
            if (step.kind === 'split' && item !== undefined) {
              const [first, second] = cutShares(item.shares, Math.ceil(sharesRecords(item.shares) / 2))
              item.shares = [...second, ...first]
            }
            return apply.call(this, step, giveUp)
          }
      )
  },
  {
    name: 'is done with what is given up before the destination took it',
    plant: () =>
      exchange(
        FailureRoute.prototype,
        'take',
        take =>
          function (this: FailureRoute, given, tries, signal) {
            void take.call(this, given, tries, signal)
            return Promise.resolve(undefined)
          }
      )
  },
  {
    name: 'takes the refusal of a destination for its consent',
    parts: redirecting(
      destination => (messages, signal) => destination.deliver(messages, signal).catch(() => undefined)
    )
  },
  {
    name: 'tells a destination twice',
    parts: redirecting(destination => async (messages, signal) => {
      await destination.deliver(messages, signal)
      await destination.deliver(messages, signal)
    })
  },
  {
    name: 'looks at the age of records only once',
    plant: () => {
      const looked = new WeakSet<Work>()
      return exchange(
        Work.prototype,
        'expire',
        expire =>
          function (this: Work, ...asked) {
            if (looked.has(this)) return []
            looked.add(this)
            return expire.call(this, ...asked)
          }
      )
    }
  },
  {
    name: 'gives up the whole batch when one of its records is too old',
    plant: () =>
      exchange(
        Work.prototype,
        'expire',
        expire =>
          function (this: Work, nowMs, maxAgeMs, isFresh, giveUp) {
            const all = this.current
            const before = all?.shares ?? []
            const young = expire.call(this, nowMs, maxAgeMs, isFresh, giveUp)
            if (all !== undefined && this.current !== undefined && this.current !== all) {
              this.current.shares = before
              all.shares = []
              return []
            }
            return young
          }
      )
  },
  {
    name: 'tries once more than it may',
    parts: parts => {
      if (parts.maximumRetryAttempts >= 0) parts.maximumRetryAttempts++
    }
  },
  {
    name: 'tries once less than it should',
    parts: parts => {
      if (parts.maximumRetryAttempts > 0) parts.maximumRetryAttempts--
    }
  },
  {
    name: 'counts a throttle as a try',
    parts: mishearing(reply =>
      reply.kind === 'throttled'
        ? { kind: 'function-error', errorType: 'Error', errorMessage: 'busy', payload: new Uint8Array() }
        : reply
    )
  },
  {
    name: 'sends all again when some were named',
    parts: mishearing(reply =>
      reply.kind === 'returned' && reply.payload.length > 40
        ? { kind: 'function-error', errorType: 'Error', errorMessage: 'some', payload: new Uint8Array() }
        : reply
    )
  },
  {
    name: 'does not look at what a function names',
    parts: mishearing(reply => (reply.kind === 'returned' ? returned : reply))
  },
  {
    name: 'tries again what was cut off its log',
    plant: () => exchange(Delivery.prototype, 'cut', () => () => undefined)
  },
  {
    name: 'lets partitions that go wait for the pause before the next try',
    plant: () => exchange(Delivery.prototype, 'wake', () => () => undefined)
  }
]
