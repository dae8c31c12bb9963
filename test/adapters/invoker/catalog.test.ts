import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfiguredFunctions, type HttpFunction } from '../../../src/adapters/invoker/catalog.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'

const orders: HttpFunction = {
  kind: 'http',
  url: 'http://127.0.0.1:9000/orders',
  timeoutSeconds: 60,
  headers: { a: 'b' }
}

function setup(functions: ConstructorParameters<typeof ConfiguredFunctions>[0]['functions']) {
  const asked: string[] = []
  const host = {
    target(name: string): HttpTarget {
      asked.push(name)
      return { kind: 'http', url: `http://127.0.0.1:${asked.length}/`, headers: {}, timeoutMs: 1 }
    }
  }
  return {
    asked,
    catalog: new ConfiguredFunctions({ functions, host, region: 'eu-west-1', accountId: '123456789012' })
  }
}

test('an HTTP function is called where the configuration says', () => {
  const { catalog, asked } = setup({ orders })
  assert.deepEqual(
    { ...catalog.find('orders') },
    {
      name: 'orders',
      arn: 'arn:aws:lambda:eu-west-1:123456789012:function:orders',
      kind: 'http',
      timeoutSeconds: 60,
      target: { kind: 'http', url: orders.url, headers: { a: 'b' }, timeoutMs: 60_000 }
    }
  )
  assert.deepEqual(asked, [])
})

test('a handler is called where the host is now', () => {
  const { catalog } = setup({ resize: { kind: 'handler', timeoutSeconds: 3 } })
  const entry = catalog.find('resize')
  const urls = [entry?.target, entry?.target].map(target => (target?.kind === 'http' ? target.url : undefined))
  assert.deepEqual(urls, ['http://127.0.0.1:1/', 'http://127.0.0.1:2/'])
})

test('all are listed in the order of the configuration, and no other is found', () => {
  const { catalog } = setup({ resize: { kind: 'handler', timeoutSeconds: 3 }, orders })
  assert.deepEqual(
    catalog.list().map(({ name }) => name),
    ['resize', 'orders']
  )
  assert.equal(catalog.find('constructor'), undefined)
})

for (const [title, fn, message] of [
  ['no URL', { url: 'orders' }, /^functions\.orders\.http must be an absolute http or https URL, got orders/],
  ['another protocol', { url: 'ftp://a/b' }, /got ftp:/],
  [
    'a length of its own',
    { headers: { 'Content-Length': '3' } },
    /^functions\.orders\.headers\.Content-Length must be left out/
  ],
  ['our headers', { headers: { 'X-Millrace-Mapping': '3' } }, /x-millrace- headers are set by Millrace/],
  ['a bad header name', { headers: { 'a b': '3' } }, /headers\.a b must be named by/],
  ['a line break in a header', { headers: { key: 'secret\r\nx: y' } }, /headers\.key must be text without line breaks/]
] as const) {
  test(`an HTTP function with ${title} is refused by name, and no secret is shown`, () => {
    assert.throws(
      () => setup({ orders: { ...orders, ...fn } }),
      (error: Error) => {
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /secret/)
        return true
      }
    )
  })
}
