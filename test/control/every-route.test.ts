import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'
import { signedFetch } from './signed-fetch.ts'

// One door, closed by default: whatever the route, a request that nobody signed as it should be is refused alike.

const uuid = '11111111-1111-4111-8111-111111111111'
const mappings = '/2015-03-31/event-source-mappings'
const tags = `/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Aevent-source-mapping%3A${uuid}`
const routes = [
  ['POST', mappings],
  ['GET', mappings],
  ['GET', `${mappings}/${uuid}`],
  ['PUT', `${mappings}/${uuid}`],
  ['DELETE', `${mappings}/${uuid}`],
  ['GET', `/millrace/v1/event-source-mappings/${uuid}/history`],
  ['GET', `/millrace/v1/event-source-mappings/${uuid}/filter-explain`],
  ['GET', tags],
  ['POST', tags],
  ['DELETE', `${tags}?tagKeys=a`],
  ['GET', '/2015-03-31/functions'],
  ['GET', '/2015-03-31/functions/f'],
  ['GET', '/2015-03-31/functions/f/configuration'],
  ['POST', '/2015-03-31/functions/f/invocations'],
  ['GET', '/2016-08-19/account-settings'],
  ['POST', '/2015-03-31/functions'],
  ['GET', '/nobody/knows'],
  ['PATCH', mappings]
] as const

const scope = '20261121/us-east-1/lambda/aws4_request'
const authorization = (credential: string, algorithm = 'AWS4-HMAC-SHA256'): Record<string, string> => ({
  'x-amz-date': new Date().toISOString().replaceAll(/[-:]|\.\d+/g, ''),
  authorization: `${algorithm} Credential=${credential}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`
})
const today = (): string => new Date().toISOString().slice(0, 10).replaceAll('-', '')

const imposters: readonly (readonly [string, () => { headers?: Record<string, string>; query?: string }])[] = [
  ['no signature', () => ({})],
  ['a password', () => ({ headers: { authorization: 'Basic dTpw' } })],
  ['a bearer token', () => ({ headers: { authorization: 'Bearer x' } })],
  ['a signature of zeros', () => ({ headers: authorization(`writer/${scope.replace(/^\d+/, today())}`) })],
  ['an empty access key', () => ({ headers: authorization(`/${scope.replace(/^\d+/, today())}`) })],
  ['another algorithm', () => ({ headers: authorization(`writer/${scope}`, 'AWS4-ECDSA-P256-SHA256') })],
  ['an access key in the query alone', () => ({ query: `X-Amz-Credential=writer%2F${encodeURIComponent(scope)}` })],
  ['a query with an algorithm alone', () => ({ query: 'X-Amz-Algorithm=AWS4-HMAC-SHA256' })],
  [
    'a body that claims not to be signed',
    () => ({
      headers: {
        ...authorization(`writer/${scope.replace(/^\d+/, today())}`),
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD'
      }
    })
  ]
]

const openWorld = async (): Promise<ControlWorld> =>
  openControlWorld({ invoke: async () => ({ kind: 'returned', payload: Buffer.from('{}') }) })

for (const [what, made] of imposters)
  test(`${what} is refused on every route, and nothing runs`, async () => {
    await using world = await openWorld()
    for (const name of ['insert', 'get', 'list', 'update', 'remove', 'history'] as const)
      world.store[name] = async () => assert.fail(`${name} was asked`)
    for (const [method, path] of routes) {
      const { headers = {}, query } = made()
      const url = `${world.server.url}${path}${query === undefined ? '' : `${path.includes('?') ? '&' : '?'}${query}`}`
      const response = await fetch(url, { method, headers, ...(method === 'GET' ? {} : { body: '{}' }) })
      assert.equal(response.status, 403, `${method} ${path}`)
      assert.match(
        response.headers.get('x-amzn-errortype') ?? '',
        /^(MissingAuthenticationToken|IncompleteSignature|InvalidSignature|UnrecognizedClient)Exception$/
      )
    }
  })

test('a key that may only read changes nothing on any route, and reads on all others', async () => {
  await using world = await openWorld()
  for (const [method, path] of routes.slice(0, 14)) {
    const body = method === 'GET' ? {} : { body: '{}' }
    const { status } = await signedFetch(world.server.url, method, path, { accessKeyId: 'reader', ...body })
    if (method === 'GET') assert.ok(status === 200 || status === 404, `${method} ${path}: ${status}`)
    else assert.equal(status, 403, `${method} ${path}`)
  }
})

test('every route answers with a trailing slash as it does without', async () => {
  await using world = await openWorld()
  for (const [method, path] of routes.slice(0, 14)) {
    const [bare = '', query] = path.split('?')
    const tail = query === undefined ? '' : `?${query}`
    const body = method === 'GET' ? {} : { body: '{}' }
    const answers = await Promise.all(
      [bare, `${bare}/`].map(async at => {
        const response = await signedFetch(world.server.url, method, `${at}${tail}`, body)
        return [response.status, await response.text()]
      })
    )
    assert.deepEqual(answers[0], answers[1], `${method} ${path}`)
    assert.notEqual(answers[0]?.[0], 403)
  }
})
