import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { before, suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { AddressGuard } from '../../../../src/core/net/address-guard.ts'
import type { ConsumerProblem } from '../../../../src/ports/consumer.ts'
import type { ClientCertificate, ClusterSecurity } from '../../../../src/ports/cluster-security.ts'
import { Authority } from '../../../support/kafka/authority.ts'
import { secret } from '../../../support/kafka/fake-secrets.ts'
import { SaslBroker } from '../../../support/kafka/sasl-broker.ts'
import type { SaslBrokerOptions } from '../../../support/kafka/sasl-broker.ts'
import { connectorWorld, echo } from './connector-world.ts'

const tls: ClusterSecurity = { protocol: 'SSL', serverRootCa: secret('ROOT') }
const mutualTls: ClusterSecurity = { ...tls, clientCertificate: secret('CLIENT') }
const names = 'DNS:localhost,IP:127.0.0.1'

const pair = ({ certificatePem, privateKeyPem }: ClientCertificate) => ({ cert: certificatePem, key: privateKeyPem })

async function aBroker(t: TestContext, options: SaslBrokerOptions): Promise<SaslBroker> {
  const broker = await SaslBroker.open(options)
  t.after(() => broker.close())
  return broker
}

/** What the user is told. */
interface Told {
  readonly kind: ConsumerProblem['kind']
  readonly stage: string
  readonly reason: RegExp
}

async function fails(opening: Promise<unknown>, { kind, stage, reason }: Told): Promise<void> {
  await assert.rejects(opening, (error: Error & Partial<Told>) => {
    assert.deepEqual({ kind: error.kind, stage: error.stage }, { kind, stage }, error.message)
    assert.match(String(error.reason), reason)
    return true
  })
}

suite('a connection over TLS (reference 9.1)', () => {
  let authority: Authority
  let stranger: Authority
  let server: ClientCertificate
  let client: ClientCertificate
  before(async () => {
    ;[authority, stranger] = await Promise.all([Authority.create(), Authority.create('stranger')])
    ;[server, client] = await Promise.all([
      authority.issue({ commonName: 'broker', names }),
      authority.issue({ commonName: 'client' })
    ])
  })

  test('carries answers of any size, pooled or not, and tells a name but no address (SNI)', async t => {
    const broker = await aBroker(t, { tls: pair(server) })
    const { open, pool } = connectorWorld(t, tls, { serverRootCa: authority.pem })
    const wires = [await open(broker.port), await open(broker.port, 'localhost')]
    for (const wire of wires)
      for (const size of [1, 20_000, 3, 1_500_000, 16_384])
        assert.equal(await echo(wire, 'x'.repeat(size), true), 'x'.repeat(size))
    assert.equal(pool.leases, 0)
    assert.deepEqual(broker.serverNames, ['none', 'localhost'])
  })

  test('trusts a broker’s own certificate when that is what was given to trust', async t => {
    const broker = await aBroker(t, { tls: pair(server) })
    const { open } = connectorWorld(t, tls, { serverRootCa: server.certificatePem })
    assert.equal(await echo(await open(broker.port), 'hello'), 'hello')
  })

  test('trusts nobody else: unknown authority, expired, wrong name', async t => {
    const [expired, elsewhere] = await Promise.all([
      authority.issue({ commonName: 'broker', names, days: -1 }),
      authority.issue({ commonName: 'broker', names: 'DNS:elsewhere.example.com' })
    ])
    const cases = [
      [server, stranger.pem, /^unable to (verify the first|get local issuer) certificate$/],
      [expired, authority.pem, /^certificate has expired$/],
      [elsewhere, authority.pem, /^Hostname\/IP does not match certificate's altnames: IP: 127\.0\.0\.1 is not in/]
    ] as const
    for (const [shown, trusted, reason] of cases) {
      const broker = await aBroker(t, { tls: pair(shown) })
      const { open, secrets } = connectorWorld(t, tls, { serverRootCa: trusted })
      await fails(open(broker.port), { kind: 'server-untrusted', stage: 'TLS', reason })
      assert.deepEqual(secrets.refusals, [secret('ROOT').arn], 'the root is read anew: it may have been exchanged')
    }
    const broker = await aBroker(t, { tls: pair(server) })
    const { open } = connectorWorld(t, { protocol: 'SSL' })
    await fails(open(broker.port), { kind: 'server-untrusted', stage: 'TLS', reason: /unable to|self-signed/ })
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    test(`by ${version} shows the client's certificate, and says when the broker misses or refuses it`, async t => {
      const broker = await aBroker(t, {
        tls: { ...pair(server), ca: authority.pem, requestCert: true, minVersion: version, maxVersion: version }
      })
      const held = { serverRootCa: authority.pem }
      const right = connectorWorld(t, mutualTls, { ...held, clientCertificate: client })
      assert.equal(await echo(await right.open(broker.port), 'hello'), 'hello')

      const told = { kind: 'client-refused', stage: 'TLS' } as const
      const none = connectorWorld(t, tls, held)
      await fails(none.open(broker.port), { ...told, reason: /alert|want a client certificate/ })
      // Node's own server sends no alert about a certificate by TLS 1.2, but hangs up in the middle of the handshake.
      if (version === 'TLSv1.2') return
      const [foreign, expired] = await Promise.all([
        stranger.issue({ commonName: 'client' }),
        authority.issue({ commonName: 'client', days: -1 })
      ])
      for (const clientCertificate of [foreign, expired]) {
        const wrong = connectorWorld(t, mutualTls, { ...held, clientCertificate })
        await fails(wrong.open(broker.port), { ...told, reason: /alert|may not trust/ })
        assert.deepEqual(wrong.secrets.refusals, [secret('CLIENT').arn])
      }
    })

  test('is not made with a key that does not fit, or with what is no certificate', async t => {
    const broker = await aBroker(t, { tls: pair(server) })
    const told = { kind: 'client-certificate', stage: 'secret' } as const
    const misfit = { certificatePem: client.certificatePem, privateKeyPem: server.privateKeyPem }
    const one = connectorWorld(t, mutualTls, { serverRootCa: authority.pem, clientCertificate: misfit })
    await fails(one.open(broker.port), {
      ...told,
      reason: /client certificate with its key cannot be used: .*mismatch/
    })
    const other = connectorWorld(t, mutualTls, { serverRootCa: authority.pem })
    await fails(other.open(broker.port), { kind: 'secret', stage: 'secret', reason: /secret:CLIENT does not answer/ })
  })

  test('uses certificates that were exchanged with the next connection, and keeps the ones that live', async t => {
    const broker = await aBroker(t, { tls: { ...pair(server), ca: authority.pem, requestCert: true } })
    const { open, secrets } = connectorWorld(t, mutualTls, { serverRootCa: stranger.pem, clientCertificate: client })
    await assert.rejects(open(broker.port))
    secrets.current.serverRootCa = authority.pem
    const before = await open(broker.port)
    delete secrets.current.clientCertificate
    await assert.rejects(open(broker.port))
    assert.equal(await echo(before, 'still here'), 'still here')
  })

  test('to a port that speaks no TLS, and without TLS to one that does, says so', async t => {
    const plain = createServer(socket => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    plain.listen(0, '127.0.0.1')
    await once(plain, 'listening')
    t.after(() => plain.close())
    const { open } = connectorWorld(t, tls, { serverRootCa: authority.pem })
    const { port } = plain.address() as AddressInfo
    await fails(open(port), { kind: 'connection', stage: 'TLS', reason: /wrong version number|before secure TLS/ })

    const broker = await aBroker(t, { tls: pair(server) })
    const without = connectorWorld(t, { protocol: 'PLAINTEXT' })
    const closes = /^the broker closed the connection before it answered: does it want TLS\?$/
    await fails(without.open(broker.port), { kind: 'connection', stage: 'API versions', reason: closes })
    const alerting = createServer(socket => socket.end(Buffer.from('15030300020246', 'hex')))
    alerting.listen(0, '127.0.0.1')
    await once(alerting, 'listening')
    t.after(() => alerting.close())
    const alert = { kind: 'connection', stage: 'TLS', reason: /^it speaks TLS, and was spoken to without$/ } as const
    await fails(without.open((alerting.address() as AddressInfo).port), alert)
  })
})

suite('a connection that comes to nothing', () => {
  test('says at which stage: the name, the connection, the first answer', async t => {
    const silent = createServer(socket => void socket.on('error', () => undefined))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    t.after(() => silent.close())
    const { port } = silent.address() as AddressInfo
    const { open } = connectorWorld(t, { protocol: 'PLAINTEXT' })
    const unresolvable = { kind: 'unresolvable', stage: 'DNS', reason: /getaddrinfo|no connection within/ } as const
    await fails(open(9092, 'no-such-host.invalid'), unresolvable)
    await fails(open(1), { kind: 'connection', stage: 'TCP', reason: /^connect ECONNREFUSED 127\.0\.0\.1:1$/ })
    await fails(open(port), { kind: 'connection', stage: 'API versions', reason: /^no answer within 1000 ms$/ })
    const over = connectorWorld(t, { protocol: 'SSL' })
    await fails(over.open(port), { kind: 'connection', stage: 'TLS', reason: /^no connection within 1000 ms$/ })
  })

  test('is not made to addresses that must not be reached, by number or by name', async t => {
    const broker = await aBroker(t, {})
    const metadata = connectorWorld(t, { protocol: 'PLAINTEXT' })
    const refused = { kind: 'connection', stage: 'TCP' } as const
    for (const host of ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254'])
      await fails(metadata.open(80, host), { ...refused, reason: /^address .* must not be reached: .*refused range/ })
    const guard = new AddressGuard(['127.0.0.0/8', '::1'])
    const configured = connectorWorld(t, { protocol: 'PLAINTEXT' }, {}, { guard })
    await fails(configured.open(broker.port), { ...refused, reason: /^address 127\.0\.0\.1 must not be reached/ })
    await fails(configured.open(broker.port, 'localhost'), {
      kind: 'connection',
      stage: 'DNS',
      reason: /^host localhost is address .* which must not be reached: it lies in the refused range/
    })
    assert.equal(broker.connections, 0)
    await metadata.open(broker.port)
  })
})
