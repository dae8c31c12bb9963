import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openHttpInvoker } from '../../../src/adapters/invoker/http.ts'
import { AddressGuard } from '../../../src/core/net/address-guard.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'
import { HttpFunction } from '../../support/http-function.ts'

async function setup(t: TestContext) {
  const fn = new HttpFunction()
  await fn.listen()
  t.after(() => fn.close())
  return (target: Partial<HttpTarget>, ranges: readonly string[]) => {
    const url = target.url ?? fn.url
    const invoker = openHttpInvoker(
      { kind: 'http', headers: {}, timeoutMs: 5_000, ...target, url },
      { guard: new AddressGuard(ranges), clock: systemClock }
    )
    t.after(() => invoker.close())
    return invoker.invoke(Buffer.from('{"records":{}}'), { requestId: 'r', signal: new AbortController().signal })
  }
}

test('a function in a refused range is not called, by address or by name, and the reason names the range', async t => {
  const call = await setup(t)
  for (const url of [undefined, 'http://localhost:1/']) {
    const reply = await call(url === undefined ? {} : { url }, ['127.0.0.0/8', '::1'])
    assert.equal(reply.kind, 'unavailable')
    assert.match(reply.kind === 'unavailable' ? reply.message : '', /must not be reached.*127\.0\.0\.0\/8|::1/)
  }
})

test('a function of our own is on loopback whatever range is refused; loopback is none by default', async t => {
  const call = await setup(t)
  assert.equal((await call({ isOwn: true }, ['127.0.0.0/8'])).kind, 'returned')
  assert.equal((await call({}, ['10.0.0.0/8'])).kind, 'returned')
})
