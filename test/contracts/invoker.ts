import { createHash, randomUUID } from 'node:crypto'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { Invoker, InvokeRequest } from '../../src/ports/invoker.ts'

/** What an event asks of the function in these tests: the event itself is the script, so real functions can follow it too. */
export type Deed =
  /** Answers `value`. */
  | { readonly do: 'return'; readonly value: unknown }
  /** Answers `{bytes, sha256}` of the event as it came. */
  | { readonly do: 'digest'; readonly padding: string }
  | { readonly do: 'empty' }
  | { readonly do: 'fail'; readonly errorType: string; readonly errorMessage: string }
  | { readonly do: 'throttle'; readonly retryAfterSeconds: number }
  | { readonly do: 'unavailable' }
  | { readonly do: 'refuse-size' }
  /** No answer for as long as the function may run. */
  | { readonly do: 'hang' }
  /** Bytes for ever, each in time, never whole. */
  | { readonly do: 'drip' }
  /** Answers a JSON string of so many bytes, quotes included. */
  | { readonly do: 'long'; readonly bytes: number }
  /** Answers `value` in pieces, slowly. */
  | { readonly do: 'slow'; readonly value: unknown; readonly pieces: number; readonly everyMs: number }
  /** Answers `value` so long after the event came: later than the caller waits. */
  | { readonly do: 'late'; readonly value: unknown; readonly afterMs: number }
  /** Ends the connection with nothing answered. */
  | { readonly do: 'cut' }
  /** Ends the connection (or dies) with half an answer given. */
  | { readonly do: 'break' }

export interface InvokerWorld extends AsyncDisposable {
  readonly invoker: Invoker
  /** An invoker of the same function that gives it so much time; closed with the world. */
  readonly impatient: (timeoutMs: number) => Invoker
  /** Resolves when the function has begun with an event that has no end (`hang`). */
  readonly begun: () => Promise<void>
}

export interface InvokerTraits {
  /** What is told of a function that failed. */
  readonly failedContext: { statusCode: number; executedVersion: string | undefined; functionError: string }
  readonly deeds: readonly Deed['do'][]
  /** A function that breaks off: its connection is all a plain endpoint has; a host knows that the process died. */
  readonly broken: 'unavailable' | 'function-error'
}

export const anEvent = (deed: Deed): Uint8Array => Buffer.from(JSON.stringify(deed))

export function aRequest(more: Partial<InvokeRequest> = {}): InvokeRequest {
  return { requestId: randomUUID(), signal: AbortSignal.timeout(60_000), ...more }
}

export function textOf(reply: InvokeReply): string {
  assert.ok(reply.kind === 'returned' || reply.kind === 'function-error', `unexpected ${JSON.stringify(reply)}`)
  return Buffer.from(reply.payload).toString()
}

/** Run against every Invoker. After each trouble the next call must work: one bad answer costs one call. */
export function invokerContract(name: string, traits: InvokerTraits, open: () => Promise<InvokerWorld>): void {
  const behaves = (title: string, needs: Deed['do'], body: (world: InvokerWorld) => Promise<void>) => {
    if (!traits.deeds.includes(needs)) return
    test(`${name}: ${title}`, async () => {
      await using world = await open()
      await body(world)
      const after = await world.invoker.invoke(anEvent({ do: 'return', value: 'well' }), aRequest())
      assert.equal(textOf(after), '"well"')
    })
  }

  behaves('what the function returns is the payload', 'return', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'return', value: { batchItemFailures: [] } }), aRequest())
    assert.equal(reply.kind, 'returned')
    assert.deepEqual(JSON.parse(textOf(reply)), { batchItemFailures: [] })
  })

  behaves('an answer of nothing is a success', 'empty', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'empty' }), aRequest())
    assert.equal(reply.kind, 'returned')
  })

  behaves('a function error is an answer with its type and message', 'fail', async ({ invoker }) => {
    const deed = { do: 'fail', errorType: 'OutOfStock', errorMessage: 'no stock of ✂' } as const
    const reply = await invoker.invoke(anEvent(deed), aRequest())
    assert.equal(reply.kind, 'function-error')
    assert.deepEqual([reply.errorType, reply.errorMessage], ['OutOfStock', 'no stock of ✂'])
    assert.match(textOf(reply), /OutOfStock/)
  })

  behaves('a reply tells what a destination tells: status, version and kind of error', 'fail', async ({ invoker }) => {
    const failed = await invoker.invoke(
      anEvent({ do: 'fail', errorType: 'OutOfStock', errorMessage: 'none' }),
      aRequest()
    )
    assert.ok(failed.kind === 'function-error')
    const { statusCode, executedVersion, functionError } = failed
    assert.deepEqual({ statusCode, executedVersion, functionError }, traits.failedContext)
    const returned = await invoker.invoke(anEvent({ do: 'return', value: 1 }), aRequest())
    assert.ok(returned.kind === 'returned')
    assert.deepEqual([returned.statusCode, returned.executedVersion], [200, traits.failedContext.executedVersion])
  })

  behaves('a throttle says how long to wait', 'throttle', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'throttle', retryAfterSeconds: 7 }), aRequest())
    assert.equal(reply.kind, 'throttled')
    assert.equal(reply.retryAfterMs, 7_000)
  })

  behaves('a function that cannot be had is unavailable', 'unavailable', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'unavailable' }), aRequest())
    assert.equal(reply.kind, 'unavailable')
  })

  behaves('an event it will not take is too large', 'refuse-size', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'refuse-size' }), aRequest())
    assert.equal(reply.kind, 'too-large')
  })

  behaves('no answer within the time is timed out', 'hang', async ({ impatient }) => {
    const reply = await impatient(300).invoke(anEvent({ do: 'hang' }), aRequest())
    assert.deepEqual(reply, { kind: 'timed-out', afterMs: 300 })
  })

  behaves('an answer that drips is timed out all the same', 'drip', async ({ impatient }) => {
    const reply = await impatient(300).invoke(anEvent({ do: 'drip' }), aRequest())
    assert.deepEqual(reply, { kind: 'timed-out', afterMs: 300 })
  })

  behaves('an answer that takes its time arrives whole', 'slow', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'slow', value: 'at last', pieces: 5, everyMs: 15 }), aRequest())
    assert.equal(textOf(reply), '"at last"')
  })

  behaves('an answer after the deadline is nobody’s', 'late', async ({ impatient }) => {
    const hasty = impatient(150)
    const reply = await hasty.invoke(anEvent({ do: 'late', value: 'too late', afterMs: 300 }), aRequest())
    assert.deepEqual(reply, { kind: 'timed-out', afterMs: 150 })
    const values = await Promise.all(
      ['a', 'b', 'c', 'd'].map(value => impatient(5_000).invoke(anEvent({ do: 'return', value }), aRequest()))
    )
    assert.deepEqual(values.map(textOf), ['"a"', '"b"', '"c"', '"d"'])
  })

  behaves('a connection that is cut before the answer costs this call only', 'cut', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'cut' }), aRequest())
    assert.equal(reply.kind, 'unavailable')
    assert.match(reply.message, /connection/)
  })

  behaves('the signal aborts a call whose answer has begun', 'drip', async ({ invoker }) => {
    const cut = AbortSignal.timeout(100)
    const reply = await invoker.invoke(anEvent({ do: 'drip' }), aRequest({ signal: cut }))
    assert.deepEqual(reply, { kind: 'aborted' })
  })

  behaves('the signal aborts a call that runs', 'hang', async ({ invoker, begun }) => {
    const cut = new AbortController()
    const reply = invoker.invoke(anEvent({ do: 'hang' }), aRequest({ signal: cut.signal }))
    await begun()
    cut.abort()
    assert.deepEqual(await reply, { kind: 'aborted' })
  })

  behaves('a signal that fired before the call means no call', 'return', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'break' }), aRequest({ signal: AbortSignal.abort() }))
    assert.deepEqual(reply, { kind: 'aborted' })
  })

  behaves('the largest answer allowed arrives whole', 'long', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'long', bytes: 6_291_556 }), aRequest())
    assert.equal(reply.kind, 'returned')
    assert.equal(reply.payload.byteLength, 6_291_556)
  })

  behaves('an answer of one byte more is a function error', 'long', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'long', bytes: 6_291_557 }), aRequest())
    assert.equal(reply.kind, 'function-error')
    assert.equal(reply.errorType, 'Function.ResponseSizeTooLarge')
    assert.match(reply.errorMessage, /exceeded maximum allowed payload size \(6291556 bytes\)/)
    assert.equal(reply.functionError ?? 'Unhandled', 'Unhandled')
  })

  behaves('a function that breaks off half way costs this call only', 'break', async ({ invoker }) => {
    const reply = await invoker.invoke(anEvent({ do: 'break' }), aRequest())
    assert.equal(reply.kind, traits.broken)
  })

  behaves('an event of 6 MiB arrives byte for byte', 'digest', async ({ invoker }) => {
    const empty = anEvent({ do: 'digest', padding: '' }).byteLength
    const event = anEvent({ do: 'digest', padding: 'é'.repeat((6 * 1_048_576 - empty) / 2) })
    const reply = await invoker.invoke(event, aRequest())
    const sha256 = createHash('sha256').update(event).digest('hex')
    assert.deepEqual(JSON.parse(textOf(reply)), { bytes: event.byteLength, sha256 })
  })

  behaves('calls side by side each get their own answer', 'return', async ({ invoker }) => {
    const values = Array.from({ length: 12 }, (_, at) => at)
    const replies = await Promise.all(values.map(value => invoker.invoke(anEvent({ do: 'return', value }), aRequest())))
    assert.deepEqual(
      replies.map(reply => JSON.parse(textOf(reply)) as unknown),
      values
    )
  })

  test(`${name}: closing aborts the calls in flight, and later calls`, async () => {
    await using world = await open()
    const reply = world.invoker.invoke(anEvent({ do: 'hang' }), aRequest())
    await world.begun()
    await Promise.all([world.invoker.close(), world.invoker.close()])
    assert.deepEqual(await reply, { kind: 'aborted' })
    assert.deepEqual(await world.invoker.invoke(anEvent({ do: 'empty' }), aRequest()), { kind: 'aborted' })
  })
}
