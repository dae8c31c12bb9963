import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Destination, FailureMessage } from '../../src/ports/destination.ts'
import { eventually } from '../support/poll.ts'

export interface DestinationWorld extends AsyncDisposable {
  readonly destination: Destination
  /** As its errors have to name it. */
  readonly name: string
  /** Bodies of all that it has, parsed, in any order. */
  readonly received: () => Promise<unknown[]>
  /** Nothing can be delivered until it heals. */
  readonly breakDown: () => Promise<void>
  readonly heal: () => Promise<void>
}

const patience = () => AbortSignal.timeout(60_000)

/** A message as any kind of destination may get it. */
export function aMessage(content: unknown): FailureMessage {
  return {
    body: Buffer.from(JSON.stringify(content)),
    objectKey: `aws/lambda/orders-0/2026/01/31/${randomUUID()}`,
    key: Buffer.from('key')
  }
}

const sorted = (bodies: readonly unknown[]): string[] => bodies.map(body => JSON.stringify(body)).toSorted()

async function hasExactly(world: DestinationWorld, wanted: readonly unknown[]): Promise<void> {
  let last: readonly unknown[] = []
  await eventually(
    async () => {
      last = await world.received()
      return last.length >= wanted.length
    },
    { timeoutMs: 30_000, describe: () => `${wanted.length} messages, there are ${last.length}` }
  )
  assert.deepEqual(sorted(last), sorted(wanted))
}

/** Run against every Destination. */
export function destinationContract(name: string, open: () => Promise<DestinationWorld>): void {
  const behaves = (title: string, body: (world: DestinationWorld) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      await using world = await open()
      await body(world)
    })
  }

  behaves('what was delivered is there, with equal JSON', async world => {
    const contents = [{ text: 'é✂ "\\\n\u0001', number: 1.5, none: null, list: [true, {}] }, { second: 2 }, 'third']
    await world.destination.deliver(contents.map(aMessage), patience())
    await hasExactly(world, contents)
  })

  behaves('deliveries side by side are all there once each resolves', async world => {
    const contents = Array.from({ length: 35 }, (_, n) => ({ n, padding: 'x'.repeat(n * 10) }))
    const each = contents.map(content => world.destination.deliver([aMessage(content)], patience()))
    await Promise.all(each)
    await hasExactly(world, contents)
  })

  behaves('messages of 200 KB arrive whole', async world => {
    const contents = ['a', 'b', 'c'].map(letter => ({ text: letter.repeat(200_000) }))
    await world.destination.deliver(contents.map(aMessage), patience())
    await hasExactly(world, contents)
  })

  behaves('nothing to deliver is delivered', async world => {
    await world.destination.deliver([], patience())
    assert.deepEqual(await world.received(), [])
  })

  behaves('an outage rejects by the destination’s name; what is delivered again after it is there', async world => {
    await world.destination.deliver([aMessage('before')], patience())
    await world.breakDown()
    await assert.rejects(world.destination.deliver([aMessage('during')], patience()), (error: Error) => {
      assert.ok(error.message.includes(world.name), error.message)
      return true
    })
    await world.heal()
    await world.destination.deliver([aMessage('during')], patience())
    await hasExactly(world, ['before', 'during'])
  })

  behaves('the signal ends the wait, and that of nobody else', async world => {
    const cut = new AbortController()
    const ended = world.destination.deliver([aMessage('ended')], cut.signal)
    const other = world.destination.deliver([aMessage('other')], patience())
    cut.abort()
    await assert.rejects(ended, { name: 'AbortError' })
    await other
    const received = await eventually(async () => (await world.received()).includes('other') && world.received(), {
      describe: 'the other message'
    })
    // The one that was ended may be there or not; nothing else may.
    assert.deepEqual(sorted(received.filter(body => body !== 'ended')), ['"other"'])
  })

  behaves('a signal that fired before means no delivery', async world => {
    await assert.rejects(world.destination.deliver([aMessage('never')], AbortSignal.abort()), { name: 'AbortError' })
    await world.destination.deliver([aMessage('after')], patience())
    await hasExactly(world, ['after'])
  })

  behaves('closing rejects deliveries under way and later ones, twice or not', async world => {
    const underWay = world.destination.deliver([aMessage('under way')], patience())
    const rejected = assert.rejects(underWay, /closed/)
    await Promise.all([world.destination.close(), world.destination.close()])
    await rejected
    await assert.rejects(world.destination.deliver([aMessage('later')], patience()), /closed/)
  })
}
