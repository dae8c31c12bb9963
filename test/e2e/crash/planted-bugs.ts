import type { InvokeReply } from '../../../src/core/retry/reply.ts'
import type { Consumer, ConsumerListener } from '../../../src/ports/consumer.ts'
import type { Invoker } from '../../../src/ports/invoker.ts'

/** Bugs that a checker must find. Each breaks one promise, and only that door is changed. */
export const plantedBugs = [
  'commits at fetch',
  'commits one too far',
  'never commits',
  'skips a block',
  'takes failure for success',
  'calls twice'
] as const
export type PlantedBug = (typeof plantedBugs)[number]

export function bugInConsumer(bug: PlantedBug | undefined, inner: Consumer): Consumer {
  const wrapped = (change: Partial<Consumer>): Consumer => ({
    start: listener => inner.start(listener),
    commit: offsets => inner.commit(offsets),
    resume: () => inner.resume(),
    stop: () => inner.stop(),
    ...change
  })
  switch (bug) {
    case 'commits at fetch':
      return wrapped({ start: listener => inner.start(committingAtFetch(inner, listener)) })
    case 'commits one too far':
      return wrapped({ commit: offsets => inner.commit(offsets.map(each => ({ ...each, offset: each.offset + 1 }))) })
    case 'never commits':
      return wrapped({ commit: () => Promise.resolve() })
    case 'skips a block':
      return wrapped({ start: listener => inner.start(skippingBlocks(listener)) })
    case 'takes failure for success':
    case 'calls twice':
    case undefined:
      return inner
    default:
      throw new Error(`no such bug: ${bug satisfies never}`)
  }
}

export function bugInInvoker(bug: PlantedBug | undefined, inner: Invoker): Invoker {
  const wrapped = (invoke: Invoker['invoke']): Invoker => ({ invoke, close: () => inner.close() })
  if (bug === 'takes failure for success') {
    return wrapped(async (event, request): Promise<InvokeReply> => {
      const reply = await inner.invoke(event, request)
      return reply.kind === 'function-error' ? { kind: 'returned', payload: reply.payload } : reply
    })
  }
  if (bug === 'calls twice') {
    return wrapped(async (event, request) => {
      const [reply] = await Promise.all([inner.invoke(event, request), inner.invoke(event, request)])
      return reply
    })
  }
  return inner
}

function committingAtFetch(consumer: Consumer, inner: ConsumerListener): ConsumerListener {
  return forwarding(inner, {
    fetched: block => {
      inner.fetched(block)
      const { topic, partition, nextOffset } = block
      consumer.commit([{ topic, partition, offset: nextOffset }]).catch(() => undefined)
    }
  })
}

function skippingBlocks(inner: ConsumerListener): ConsumerListener {
  let seen = 0
  return forwarding(inner, {
    fetched: block => {
      if (++seen % 3 !== 0) return inner.fetched(block)
      const { topic, partition, nextOffset } = block
      block.finish(block.count)
      inner.skipped({ topic, partition }, nextOffset)
    }
  })
}

const forwarding = (inner: ConsumerListener, change: Partial<ConsumerListener>): ConsumerListener => ({
  assigned: partitions => inner.assigned(partitions),
  revoked: partitions => inner.revoked(partitions),
  lost: partitions => inner.lost(partitions),
  fetched: block => inner.fetched(block),
  skipped: (partition, nextOffset) => inner.skipped(partition, nextOffset),
  jumped: (partition, from, to) => inner.jumped(partition, from, to),
  wants: partition => inner.wants(partition),
  problem: problem => inner.problem(problem),
  ...change
})
