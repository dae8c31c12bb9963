import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { CallPermits } from '../../../src/adapters/invoker/call-permits.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openHttpInvoker } from '../../../src/adapters/invoker/http.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'
import { anEvent, aRequest, textOf } from '../../contracts/invoker.ts'
import { ScriptedFunction } from './scripted-function.ts'

let folder = ''
const file = (name: string) => join(folder, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })

/** An authority, and certificates of it for the server and for us. */
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority')
  for (const [name, extensions] of [
    ['server', ['-addext', 'subjectAltName=IP:127.0.0.1']],
    ['client', []]
  ] as const) {
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key']
    openssl(
      'req',
      '-x509',
      ...signed,
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      `/CN=${name}`,
      ...extensions
    )
  }
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** An https server that offers HTTP/2 too, and tells what it was spoken to with. */
async function setup(options: http2.SecureServerOptions = {}) {
  const server = http2.createSecureServer(
    { key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')), allowHTTP1: true, ...options },
    (request, response) => {
      const { httpVersion } = request
      const { socket } = request as unknown as IncomingMessage
      const { CN } = ((socket as TLSSocket).getPeerCertificate?.() ?? {}).subject ?? {}
      request.resume()
      ;(response as unknown as ServerResponse).end(JSON.stringify({ httpVersion, ...(CN === undefined ? {} : { CN }) }))
    }
  )
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const opened: ReturnType<typeof openHttpInvoker>[] = []
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', session => void sessions.add(session))
  return {
    sessions,
    async call(more: Partial<HttpTarget> = {}) {
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const invoker = openHttpInvoker(
        { kind: 'http', url, headers: {}, timeoutMs: 5_000, ...more },
        { clock: systemClock }
      )
      opened.push(invoker)
      return invoker.invoke(anEvent({ do: 'empty' }), aRequest())
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(invoker => invoker.close()))
      for (const session of sessions) session.destroy()
      server.close()
    }
  }
}

const tls = () => ({ caFile: file('ca.pem') })

describe('TLS', () => {
  test('a server of an own authority is trusted when its file is named, and not without', async () => {
    await using world = await setup()
    assert.equal(textOf(await world.call({ tls: tls() })), '{"httpVersion":"1.1"}')
    const reply = await world.call()
    assert.ok(reply.kind === 'unavailable')
    assert.match(reply.message, /^cannot reach the function at 127\.0\.0\.1:\d+: .*(CERT|SIGNATURE|certificate)/)
  })

  test('our certificate is shown to a server that asks for it; without it the server is not reached', async () => {
    const ca = readFileSync(file('ca.pem'))
    await using world = await setup({ requestCert: true, rejectUnauthorized: true, ca })
    const own = { ...tls(), certFile: file('client.pem'), keyFile: file('client.key') }
    assert.equal(textOf(await world.call({ tls: own })), '{"httpVersion":"1.1","CN":"client"}')
    assert.equal((await world.call({ tls: tls() })).kind, 'unavailable')
  })

  for (const [title, files, message] of [
    ['is not there', { caFile: 'none.pem' }, /caFile cannot be read: ENOENT/],
    ['holds no certificate', { caFile: 'server.key' }, /caFile cannot be used: there is no certificate in it/],
    [
      'is of another certificate',
      { certFile: 'client.pem', keyFile: 'server.key' },
      /certFile and keyFile cannot be used/
    ],
    ['is no PEM', { certFile: 'client.pem', keyFile: 'text' }, /keyFile cannot be used/]
  ] as const) {
    test(`a file that ${title} makes the function unavailable, by name and without its content`, async () => {
      writeFileSync(file('text'), 'secret text')
      await using world = await setup()
      const paths = Object.fromEntries(Object.entries(files).map(([key, name]) => [key, file(name)]))
      const reply = await world.call({ tls: { ...tls(), ...paths } })
      assert.ok(reply.kind === 'unavailable')
      assert.match(reply.message, message)
      assert.doesNotMatch(reply.message, /secret text|BEGIN/)
    })
  }
})

describe('HTTP/2', () => {
  test('is spoken where it is wanted and offered', async () => {
    await using world = await setup()
    const spoken = async (http2: boolean) => textOf(await world.call({ tls: tls(), http2 }))
    assert.deepEqual([await spoken(true), await spoken(false)], ['{"httpVersion":"2.0"}', '{"httpVersion":"1.1"}'])
  })

  test('calls side by side each get their answer, and a connection that the server ends costs one call', async () => {
    await using world = await setup()
    const target = { tls: tls(), http2: true }
    const replies = await Promise.all(Array.from({ length: 8 }, () => world.call(target)))
    assert.deepEqual(new Set(replies.map(textOf)), new Set(['{"httpVersion":"2.0"}']))
    for (const session of world.sessions) session.goaway()
    assert.equal((await world.call(target)).kind, 'returned')
  })
})

test('events are sent in gzip when the target wants it, but for small ones', async () => {
  await using double = await ScriptedFunction.open()
  const invoker = openHttpInvoker(double.target({ compress: 'gzip' }), { clock: systemClock })
  const large = anEvent({ do: 'digest', padding: 'a'.repeat(100_000) })
  let sent: Buffer | undefined
  double.answerNext((response, event) => {
    sent = event
    response.end()
  })
  assert.equal((await invoker.invoke(large, aRequest())).kind, 'returned')
  assert.ok(sent !== undefined && sent.byteLength < 2_000, `${sent?.byteLength} bytes were sent`)
  assert.deepEqual(gunzipSync(sent), Buffer.from(large))
  assert.equal((await invoker.invoke(anEvent({ do: 'return', value: 1 }), aRequest())).kind, 'returned')
  assert.deepEqual(
    double.calls.map(({ headers }) => headers['content-encoding']),
    ['gzip', undefined]
  )
  await invoker.close()
})

test('no more calls at a time than the target permits; the others wait without being late', async () => {
  await using double = await ScriptedFunction.open()
  const permits = CallPermits.memory(3)
  const invoker = openHttpInvoker(double.target({ permits, timeoutMs: 150 }), { clock: systemClock })
  const slow = () => invoker.invoke(anEvent({ do: 'late', value: 1, afterMs: 40 }), aRequest())
  const replies = await Promise.all(Array.from({ length: 15 }, slow))
  assert.deepEqual(new Set(replies.map(textOf)), new Set(['1']))
  assert.equal(double.mostRunning, 3)
  await invoker.close()
})

for (const url of ['http://169.254.169.254/latest', 'http://[fd00:ec2::254]/', 'http://[::ffff:169.254.170.2]/']) {
  test(`no function is called where a cloud gives away credentials: ${url}`, async () => {
    const invoker = openHttpInvoker({ kind: 'http', url, headers: {}, timeoutMs: 1_000 }, { clock: systemClock })
    const reply = await invoker.invoke(anEvent({ do: 'empty' }), aRequest())
    assert.ok(reply.kind === 'unavailable')
    assert.match(reply.message, /must not be reached/)
    await invoker.close()
  })
}
