import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { failed, HttpFunction, never, type Script } from '../support/http-function.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import { assertExactlyOnce } from '../support/written-topic.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const fixtures = resolve('test/fixtures/functions')

/** A way to go wrong: the function, and what its mapping says. */
interface Trouble {
  readonly title: string
  readonly function: Readonly<Record<string, unknown>>
  readonly says: RegExp
}

const local: readonly Trouble[] = [
  {
    title: 'throws',
    function: { handler: `${fixtures}/troubled.throws` },
    says: /Details: RangeError: no stock left/
  },
  {
    title: 'crashes',
    function: { handler: `${fixtures}/troubled.dies` },
    says: /Details: Runtime\.ExitError: .*exit status 7/
  },
  {
    title: 'hangs',
    function: { handler: `${fixtures}/troubled.hangs`, timeoutSeconds: 1 },
    says: /Details: Sandbox\.Timedout: .*Task timed out after 1\.00 seconds/
  },
  {
    title: 'answers what is no JSON',
    function: { handler: `${fixtures}/troubled.rambles` },
    says: /Details: Runtime\.MarshalError: /
  },
  {
    title: 'has no file',
    function: { handler: `${fixtures}/nowhere.handler` },
    says: /Details: Runtime\.ImportModuleError: .*nowhere/
  },
  {
    title: 'has no such export',
    function: { handler: `${fixtures}/troubled.absent` },
    says: /Details: Runtime\.HandlerNotFound: .*absent/
  }
]

const overHttp: readonly { title: string; script: Script; says: RegExp }[] = [
  { title: 'says that it failed', script: () => failed, says: /Details: Error: failed on purpose/ },
  { title: 'never answers', script: () => never, says: /Details: no answer within 1000 ms/ },
  {
    title: 'answers no HTTP',
    script: () => ({ kind: 'garbage' }),
    says: /Details: cannot reach the function at 127\.0\.0\.1:/
  },
  {
    title: 'cuts the connection',
    script: () => ({ kind: 'break' }),
    says: /Details: cannot reach the function at 127\.0\.0\.1:/
  },
  {
    title: 'answers a status that means nothing here',
    script: () => ({ kind: 'status', status: 418, body: 'short and stout' }),
    says: /Details: Http\.418: .*short and stout/
  },
  {
    title: 'throttles',
    script: () => ({ kind: 'status', status: 429, headers: { 'retry-after': '1' }, body: 'slow down' }),
    says: /answered 429 .*slow down/
  }
]

async function httpTroubles(t: TestContext): Promise<Trouble[]> {
  return Promise.all(
    overHttp.map(async ({ title, script, says }) => {
      const double = await HttpFunction.open()
      t.after(() => double.close())
      double.script = script
      return { title, function: { http: double.url, timeoutSeconds: 1 }, says }
    })
  )
}

for (const [kind, troubles] of [
  ['a local handler', async () => local],
  ['an HTTP function', httpTroubles]
] as const) {
  suite(`trouble in ${kind}`, () => {
    test('each trouble is told by its mapping, and a well one beside them goes on', async t => {
      const world = await EmbeddedWorld.open(t)
      const rows = (await troubles(t)).map((trouble, index) => ({ ...trouble, name: `f${index}` }))
      const healthy = await world.topic('healthy', 2)
      const functions = Object.fromEntries(rows.map(row => [row.name, row.function]))
      const millrace = await world.serve({ config: { functions } })
      const api = await world.api(millrace)
      await world.map(millrace, healthy.name)
      for (const { name } of rows) await (await world.topic(name, 1)).write(3)
      await t.test('all of them', { concurrency: true }, async t => {
        await Promise.all(
          rows.map(({ name, title, says }) =>
            t.test(title, async () => {
              const uuid = await world.map(millrace, name, { FunctionName: name })
              const told = await mappingWhen(api, uuid, String(says), ({ LastProcessingResult }) =>
                says.test(LastProcessingResult ?? '')
              )
              assert.match(told.LastProcessingResult ?? '', /^PROBLEM: Function call failed\. /)
              assert.equal(told.State, 'Enabled')
              assert.deepEqual(await world.kafka.committed(uuid, name), new Map([[0, 0]]))
            })
          )
        )
      })
      await healthy.write(10)
      await world.succeeded(healthy.total)
      assertExactlyOnce(world.function.values(healthy.name), healthy.values())
      world.assertSound(healthy)
      assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
    })
  })
}

test('a function that is back is called again, and its mapping is OK', async t => {
  const world = await EmbeddedWorld.open(t)
  const topic = await world.topic('orders', 1)
  await topic.write(5)
  await world.function.close()
  const millrace = await world.serve()
  const uuid = await world.map(millrace, topic.name)
  const api = await world.api(millrace)
  const says = /cannot reach the function at 127\.0\.0\.1:/
  await mappingWhen(api, uuid, String(says), ({ LastProcessingResult }) => says.test(LastProcessingResult ?? ''))
  await world.function.listen()
  await world.succeeded(topic.total)
  await mappingWhen(api, uuid, 'OK', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
  assertExactlyOnce(world.function.values(), topic.values())
  world.assertSound(topic)
})
