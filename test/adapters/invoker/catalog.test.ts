import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConfiguredFunctions,
  type ConfiguredFunctionsOptions,
  type HttpFunction,
  type LambdaFunction
} from '../../../src/adapters/invoker/catalog.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'

const orders: HttpFunction = {
  kind: 'http',
  url: 'http://127.0.0.1:9000/orders',
  timeoutSeconds: 60,
  headers: { a: 'b' }
}

function setup(functions: ConfiguredFunctionsOptions['functions'], options: Partial<ConfiguredFunctionsOptions> = {}) {
  const asked: string[] = []
  const host = {
    target(name: string): HttpTarget {
      asked.push(name)
      return { kind: 'http', url: `http://127.0.0.1:${asked.length}/`, headers: {}, timeoutMs: 1 }
    }
  }
  return {
    asked,
    catalog: new ConfiguredFunctions({
      functions,
      host,
      region: 'eu-west-1',
      accountId: '123456789012',
      ...options
    })
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

const elsewhere = 'arn:aws:lambda:us-east-2:210987654321:function:orders-prod'
const real: LambdaFunction = { kind: 'lambda', lambda: `${elsewhere}:live`, timeoutSeconds: 60, signed: true }

test('a function at AWS Lambda is called in its own region, by its ARN, with a minute more than its time', () => {
  const { catalog } = setup({ real })
  const entry = catalog.find('real')
  assert.deepEqual([entry?.arn, entry?.kind, entry?.inspect], [elsewhere, 'lambda', undefined])
  assert.deepEqual(entry?.target, {
    kind: 'lambda',
    functionName: elsewhere,
    qualifier: 'live',
    region: 'us-east-2',
    endpoint: 'https://lambda.us-east-2.amazonaws.com',
    timeoutMs: 120_000,
    signed: true
  })
})

test('it is found by its own ARN and by that of its name here, and by no other', () => {
  const { catalog } = setup({ real, orders })
  const here = (name: string) => `arn:aws:lambda:eu-west-1:123456789012:function:${name}`
  assert.equal(catalog.find('orders-prod', elsewhere)?.name, 'real')
  assert.equal(catalog.find('real', here('real'))?.name, 'real')
  assert.equal(catalog.find('orders', here('orders'))?.name, 'orders')
  assert.equal(catalog.find('orders', here('orders').replace('eu-', 'us-')), undefined)
  assert.equal(catalog.find('orders-prod'), undefined)
})

test('a bare name is that of a function in the region of the configuration', () => {
  const { catalog } = setup({ real: { ...real, lambda: 'function', endpoint: 'http://127.0.0.1:9000', signed: false } })
  const { arn, target } = catalog.find('real') ?? {}
  assert.equal(arn, 'arn:aws:lambda:eu-west-1:123456789012:function:real')
  assert.ok(target?.kind === 'lambda')
  assert.deepEqual(
    [target.functionName, target.region, target.endpoint],
    ['function', 'eu-west-1', 'http://127.0.0.1:9000']
  )
})

test('where that is wanted every other name is a function at AWS Lambda', () => {
  const { catalog } = setup({ orders }, { othersAtLambda: true, lambdaEndpoint: 'http://127.0.0.1:4566' })
  const target = (name: string, arn?: string) => {
    const found = catalog.find(name, arn)?.target
    return found?.kind === 'lambda' ? [found.functionName, found.region, found.endpoint] : found?.kind
  }
  assert.deepEqual(target('shop'), ['shop', 'eu-west-1', 'http://127.0.0.1:4566'])
  assert.deepEqual(target('shop', elsewhere), [elsewhere, 'us-east-2', 'http://127.0.0.1:4566'])
  assert.equal(target('orders'), 'http')
  assert.equal(target('orders', 'arn:aws:lambda:eu-west-1:000000000000:function:orders'), undefined)
  assert.deepEqual(
    catalog.list().map(({ name }) => name),
    ['orders']
  )
})

test('AWS is asked about the qualifier of the mapping, else about that of the configuration', async () => {
  const asked: unknown[] = []
  const inspect: ConfiguredFunctionsOptions['inspect'] = async ({ functionName }, qualifier) => {
    asked.push([functionName, qualifier])
    return { timeoutSeconds: 3 }
  }
  const { catalog } = setup({ real }, { inspect })
  assert.deepEqual(await catalog.find('real')?.inspect?.(undefined), { timeoutSeconds: 3 })
  await catalog.find('real')?.inspect?.('7')
  assert.deepEqual(asked, [
    [elsewhere, 'live'],
    [elsewhere, '7']
  ])
})

test('AWS is asked in the role of the mapping where the function has none of its own', async () => {
  const asked: unknown[] = []
  const inspect: ConfiguredFunctionsOptions['inspect'] = async ({ role }) => {
    asked.push(role?.roleArn)
    return {}
  }
  const own = { ...real, role: { roleArn: 'arn:aws:iam::123456789012:role/own' } }
  const { catalog } = setup({ real, own }, { inspect })
  for (const name of ['real', 'own'])
    await catalog.find(name)?.inspect?.(undefined, { roleArn: 'arn:aws:iam::123456789012:role/mapping' })
  assert.deepEqual(asked, ['arn:aws:iam::123456789012:role/mapping', own.role.roleArn])
})

for (const [region, endpoint] of [
  ['cn-north-1', 'https://lambda.cn-north-1.amazonaws.com.cn'],
  ['us-gov-west-1', 'https://lambda.us-gov-west-1.amazonaws.com']
] as const) {
  test(`AWS Lambda of ${region} is at ${endpoint}`, () => {
    const target = setup({}, { othersAtLambda: true, region }).catalog.find('shop')?.target
    assert.equal(target?.kind === 'lambda' && target.endpoint, endpoint)
  })
}
