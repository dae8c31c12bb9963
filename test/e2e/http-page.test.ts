import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { mkdir, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { parse, stringify } from 'yaml'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { openHttpInvoker } from '../../src/adapters/invoker/http.ts'
import { classify } from '../../src/core/retry/outcome.ts'
import { anEvent, aRequest } from '../contracts/invoker.ts'
import { ScriptedFunction } from '../adapters/invoker/scripted-function.ts'
import type { KafkaEvent } from '../support/http-function.ts'
import { PageUnderTest } from '../support/page-blocks.ts'
import { eventually } from '../support/poll.ts'
import { TestCertificates } from '../support/test-certificates.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const page = new PageUnderTest('docs/how-to/call-http-functions.md')
/** What a server needs to know to read a request; how that comes is HTTP's own. */
const framing = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

interface Seen {
  readonly httpVersion: string
  readonly path: string
  readonly headers: Readonly<Record<string, unknown>>
  /** Of the client's certificate. */
  readonly name: string | undefined
  readonly event: KafkaEvent
}

/** A server in the place of the page's, with a certificate of an own authority, and folders with what a client needs for it. */
async function setup(t: TestContext, options: http2.SecureServerOptions = {}) {
  const certificates = await TestCertificates.open()
  t.after(() => certificates[Symbol.asyncDispose]())
  await certificates.make('ca')
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -x509 -CA ca.pem -CAkey ca.key'
  await certificates.openssl(
    `req ${key} -keyout server.key -out server.pem -subj /CN=server -addext subjectAltName=IP:127.0.0.1`
  )
  await certificates.openssl(`req ${key} -keyout millrace.key -out millrace.pem -subj /CN=millrace`)
  const seen: Seen[] = []
  const ca = await certificates.read('ca.pem')
  const server = http2.createSecureServer(
    {
      key: await certificates.read('server.key'),
      cert: await certificates.read('server.pem'),
      allowHTTP1: true,
      ca,
      ...options
    },
    (given, answer) => {
      const request = given as unknown as IncomingMessage
      void buffer(request).then(body => {
        const { httpVersion, url = '', headers, socket } = request
        const text = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
        const name = (socket as TLSSocket).getPeerCertificate?.().subject?.CN
        seen.push({
          httpVersion,
          path: url,
          headers,
          name: typeof name === 'string' ? name : undefined,
          event: JSON.parse(text.toString()) as KafkaEvent
        })
        ;(answer as unknown as ServerResponse).end()
      })
    }
  )
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', session => void sessions.add(session))
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const world = await EmbeddedWorld.open(t)
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return {
    world,
    seen,
    certificates,
    /** The page's settings, with the server in the place of theirs. */
    settings(yaml: string, more: object = {}) {
      const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
      assert.match(yaml, /https:\/\/orders\.internal\/kafka/)
      const config = parse(yaml.replace('https://orders.internal', origin)) as { functions: Record<string, object> }
      return { ...config, functions: { orders: { ...config.functions['orders'], ...more } } }
    },
    async records(count: number) {
      await eventually(() => seen.flatMap(({ event }) => Object.values(event.records).flat()).length >= count, {
        describe: () => `${count} records at the server, which saw ${JSON.stringify(seen)}`,
        timeoutMs: 30_000
      })
    }
  }
}

describe('how to call functions over HTTP', { timeout: 180_000 }, () => {
  const first = page.block('Call functions over HTTP').text
  test('its first function gets records over TLS that Node trusts, with its headers and those of the table', async t => {
    const { world, seen, certificates, settings, records } = await setup(t)
    const millrace = await world.serve({
      config: settings(first, { compress: 'gzip' }),
      env: { NODE_EXTRA_CA_CERTS: certificates.path('ca.pem') }
    })
    const topic = await world.topic('shop', 1)
    await topic.write(50)
    await world.map(millrace, 'shop', { FunctionName: 'orders:live' })
    await records(50)
    const [call] = seen
    assert.equal(call?.path, '/kafka')
    assert.equal(call.headers['authorization'], 'Bearer 2f3c9a')
    const told = [...page.rows('What the server gets')].map(([name, [means = '']]) => ({ name: bare(name), means }))
    const ofInvoke = told.filter(({ means }) => /who used Invoke (sent|wants)/.test(means)).map(({ name }) => name)
    assert.deepEqual(ofInvoke, ['x-amzn-trace-id', 'x-amz-client-context', 'x-amz-log-type'])
    const sent = Object.keys(call.headers).filter(name => !framing.has(name))
    const wanted = told.map(({ name }) => name).filter(name => !ofInvoke.includes(name))
    assert.deepEqual(sent.toSorted(), [...wanted, 'authorization', 'content-type'].toSorted())
  })

  const withTls = page.block('TLS').text
  test('its function with an authority and a certificate of its own is called over HTTP/2 by who shows that', async t => {
    const { world, seen, certificates, settings, records } = await setup(t, {
      requestCert: true,
      rejectUnauthorized: true
    })
    const millrace = await world.serve()
    await millrace.stop()
    await mkdir(join(millrace.folder, 'certs'))
    for (const file of ['ca.pem', 'millrace.pem', 'millrace.key'])
      await writeFile(join(millrace.folder, 'certs', file), await certificates.read(file))
    await writeFile(join(millrace.folder, 'millrace.yaml'), stringify(settings(withTls)))
    await millrace.start()
    const topic = await world.topic('shop', 1)
    await topic.write(5)
    await world.map(millrace, 'shop')
    await records(5)
    assert.deepEqual([seen[0]?.httpVersion, seen[0]?.name], ['2.0', 'millrace'])
  })

  const answers = [
    ['2xx', [202, {}, 'returned', 'ok']],
    [
      '2xx with `x-amz-function-error`, any status not below',
      [200, { 'x-amz-function-error': 'Handled' }, 'function-error', 'failed'],
      [404, {}, 'function-error', 'failed']
    ],
    [
      '429, or 503 with `retry-after`',
      [429, {}, 'throttled', 'busy'],
      [503, { 'retry-after': '2' }, 'throttled', 'busy']
    ],
    [
      '502, 503, 504, a refused or broken connection',
      [502, {}, 'unavailable', 'unreachable'],
      [503, {}, 'unavailable', 'unreachable'],
      [504, {}, 'unavailable', 'unreachable']
    ],
    ['413', [413, {}, 'too-large', 'too-large']]
  ] as const
  test('every answer of its table means what it says', async () => {
    await using double = await ScriptedFunction.open()
    const open = (timeoutMs: number) => openHttpInvoker(double.target({ timeoutMs }), { clock: systemClock })
    const invoker = open(30_000)
    const rows = page.rows('What its answer means').keys()
    const others = ['none within `timeoutSeconds`', 'more than 6 MB']
    assert.deepEqual([...rows], [...answers.map(([row]) => row), ...others])
    for (const [row, ...cases] of answers) {
      for (const [status, headers, reply, outcome] of cases) {
        double.answerNext(response => void response.writeHead(status, headers).end())
        const came = await invoker.invoke(anEvent({ do: 'empty' }), aRequest())
        assert.deepEqual([came.kind, classify(came).kind], [reply, outcome], `${row}: ${status}`)
      }
    }
    const broken = await invoker.invoke(anEvent({ do: 'cut' }), aRequest())
    assert.equal(classify(broken).kind, 'unreachable')
    const hasty = open(50)
    assert.equal(classify(await hasty.invoke(anEvent({ do: 'hang' }), aRequest())).kind, 'failed')
    const long = await invoker.invoke(anEvent({ do: 'long', bytes: 6_291_557 }), aRequest())
    assert.ok(long.kind === 'function-error')
    assert.equal(long.errorType, 'Function.ResponseSizeTooLarge')
    await Promise.all([invoker.close(), hasty.close()])
  })

  test('none of its blocks is run by nobody', () => page.assertWhole())
})

const bare = (cell: string): string => cell.replaceAll('`', '')
