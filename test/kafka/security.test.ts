import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { grant, revoke } from '../support/kafka/acls.ts'
import type { Acl } from '../support/kafka/acls.ts'
import { OidcTokens } from '../../src/adapters/secrets/oidc-token.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { heals, methods, says, SecuredWorld, seen } from '../support/kafka/secured-world.ts'
import type { Method } from '../support/kafka/secured-world.ts'
import { changePassword } from '../support/kafka/scram-passwords.ts'
import { users } from '../support/kafka/server-properties.ts'
import { eventually } from '../support/poll.ts'
import { failuresOf, sentences } from './security-failures.ts'

const topic = 'orders'
const denied = 'EVENT_SOURCE_AUTHZ_ERROR'

await kafkaSuite('a real Kafka with every listener', runTool => {
  const kafka = kafkaForSuite({
    listeners: ['tls', 'mtls', 'sasl', 'sasl_plaintext'],
    serverProperties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      // Short, so that a test sees several renewals; a broker takes one a second at most.
      'listener.name.sasl.plain.connections.max.reauth.ms': '1500',
      'listener.name.sasl.oauthbearer.connections.max.reauth.ms': '60000'
    }
  })
  let world: SecuredWorld
  let superUser: string

  before(async () => {
    world = await SecuredWorld.of(kafka)
    superUser = kafka.bootstrap()[0]!
    await kafka.createTopic(topic, { partitions: 1 })
    await kafka.produce(topic, [{ value: 'a' }, { value: 'b' }])
    const everyone = ['User:alice', 'User:carol', 'User:CN=client']
    await grant(
      superUser,
      everyone.flatMap(principal => [mayRead(principal, 'topic', '*'), mayRead(principal, 'group', '*')])
    )
  })

  suite('is reached by every way to authenticate (reference 9.1)', { concurrency: 3 }, () => {
    const working = (Object.keys(methods) as Method[]).filter(method => method !== 'iam')
    for (const groupProtocol of ['classic', 'consumer'] as const)
      for (const method of working)
        test(`${method}: reads, and commits in a group by the protocol ${groupProtocol}`, async t => {
          const groupId = `${method}-${groupProtocol}`.replaceAll(' ', '-')
          const { listener, consumer } = world.open(t, method, { groupProtocol, groupId })
          await seen(listener, 2)
          await consumer.commit([{ topic, partition: 0, offset: 2 }])
          assert.equal((await kafka.committed(groupId, topic)).get(0)?.offset, 2n)
          assert.deepEqual(listener.problems.filter(Boolean), [])
        })
  })

  test('hashes a password for SCRAM as it is, whatever RFC 5802 says of ligatures and superscripts', async t => {
    const file = join(await mkdtemp(join(tmpdir(), 'millrace-scram-')), 'user.properties')
    t.after(() => rm(dirname(file), { recursive: true }))
    // Escaped, for the tool's own encoding is the machine's.
    await writeFile(file, String.raw`SCRAM-SHA-512=iterations=4096,password=\uFB01ne\u00B2`)
    const change = ['--alter', '--entity-type', 'users', '--entity-name', 'dora', '--add-config-file', file]
    const { code, stderr } = await runTool('kafka.admin.ConfigCommand', ['--bootstrap-server', superUser, ...change])
    assert.equal(code, 0, stderr)
    const dora = 'User:dora'
    await grant(superUser, [mayRead(dora, 'topic', topic), mayRead(dora, 'group', '*')])
    const held = { login: { username: 'dora', password: '\uFB01ne\u00B2' } }
    await seen(world.open(t, 'scram512', { held }).listener, 2)
  })

  // All at once: most of them wait for something that does not come.
  test('says what is wrong in five seconds, in one text that stays (reference 9.6)', { concurrency: true }, async t => {
    const judged = failuresOf(world).map(failure => t.test(failure.what, each => judge(each, failure)))
    await Promise.all(judged)
  })

  async function judge(t: TestContext, failure: ReturnType<typeof failuresOf>[number]): Promise<void> {
    const { open, sentence, stage, error, reason } = failure
    const { listener, address, log } = await open(t)
    const start = `${sentences[sentence]} Details: ${stage} ${address}: `
    const text = await says(listener, start, reason)
    assert.match(text.slice(start.length), error)
    await eventually(() => log.messages('warn').length > 2, { describe: 'several tries' })
    assert.equal(listener.problems.length, 1, 'it never said anything else')
  }

  suite('denies what no ACL allows (reference 9.6)', { concurrency: true }, () => {
    const bob = 'User:bob'

    for (const groupProtocol of ['classic', 'consumer'] as const)
      test(`topic and group each by its name, healed when granted, told again when taken away: ${groupProtocol}`, async t => {
        const bobs = `bobs-${groupProtocol}`
        const group = `${bobs}-group`
        const describe = { principal: bob, operation: 'describe', resource: 'topic', name: bobs } as const
        const readTopic = mayRead(bob, 'topic', bobs)
        const readGroup = mayRead(bob, 'group', group)
        await kafka.createTopic(bobs, { partitions: 1 })
        await kafka.produce(bobs, [{ value: 'a' }])
        const held = { login: { username: 'bob', password: users.bob } }
        const wish = { topic: bobs, groupId: group, held, groupProtocol }
        const { listener, address } = world.open(t, 'scram512', wish)
        const says = (what: string, code: string) => saysDenied(listener, address, what, code)

        await says(`topic ${bobs}`, 'TOPIC_AUTHORIZATION_FAILED')
        await grant(superUser, [describe])
        await says(`group ${group}`, 'GROUP_AUTHORIZATION_FAILED')
        await grant(superUser, [readGroup])
        await says(bobs, 'TOPIC_AUTHORIZATION_FAILED')
        await grant(superUser, [readTopic])
        await heals(listener)
        await seen(listener, 1)

        await revoke(superUser, [readTopic])
        await says(`partition 0 of ${bobs}`, 'TOPIC_AUTHORIZATION_FAILED')
        await grant(superUser, [readTopic])
        await heals(listener)
        await revoke(superUser, [readGroup])
        await says(`group ${group}`, 'GROUP_AUTHORIZATION_FAILED')
        await grant(superUser, [readGroup])
        await heals(listener)
      })

    test('and needs none on the cluster', async t => {
      const { listener } = world.open(t, 'scram512')
      await seen(listener, 2)
    })
  })

  suite('heals within five seconds of the cure', { concurrency: true }, () => {
    test('a password that was corrected, without an update of the mapping', async t => {
      const { listener, secrets, address } = world.open(t, 'scram512', {
        held: { login: { username: 'alice', password: 'wrong' } }
      })
      await says(listener, `${sentences.sasl} Details: SASL ${address}: `, 'EVENT_SOURCE_AUTHN_ERROR')
      secrets.current.login = { username: 'alice', password: users.alice }
      await heals(listener)
      await seen(listener, 2)
    })

    // At its longest pause, which is what tells a cure at the broker from one in the secret: nothing here changes.
    for (const method of ['scram512', 'sasl without tls'] as const)
      test(`a password that was corrected at the broker alone: ${method}`, async t => {
        const login = { username: `eve-${method.replaceAll(' ', '-')}`, password: 'right all along' }
        const everything = [
          mayRead(`User:${login.username}`, 'topic', topic),
          mayRead(`User:${login.username}`, 'group', '*')
        ]
        await grant(superUser, everything)
        const { listener, log } = world.open(t, method, { held: { login } })
        await eventually(() => log.messages('warn').length >= 6, { describe: 'pauses have grown', timeoutMs: 30_000 })
        await changePassword(superUser, login.username, login.password)
        await heals(listener)
        await seen(listener, 2)
      })

    test('a token endpoint that is asked with the right client again', async t => {
      const { issuer } = kafka
      let clientSecret = 'wrong'
      const ask = new OidcTokens()
      const token = async () =>
        (await ask.fetch({ tokenEndpoint: issuer.tokenUrl }, { ...issuer.client, clientSecret }, Date.now())).value
      const { listener, address, log } = world.open(t, 'oauthbearer', { held: { token } })
      await says(
        listener,
        `${sentences.sasl} Details: secret ${address}: The token endpoint `,
        'EVENT_SOURCE_AUTHN_ERROR'
      )
      await eventually(() => log.messages('warn').length >= 6, { describe: 'pauses have grown', timeoutMs: 30_000 })
      ;({ clientSecret } = issuer.client)
      await heals(listener)
      await seen(listener, 2)
    })

    test('an authority that was exchanged', async t => {
      const { listener, secrets, address } = world.open(t, 'tls', { held: { serverRootCa: world.stranger.pem } })
      await says(listener, `${sentences.untrusted} Details: TLS ${address}: `, 'EVENT_SOURCE_AUTHN_ERROR')
      secrets.current.serverRootCa = world.authority.pem
      await heals(listener)
    })

    test('a port that opens', async t => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      server.close()
      await once(server, 'close')
      const { listener } = world.open(t, 'plaintext', { bootstrap: [`127.0.0.1:${port}`] })
      await says(listener, `${sentences.connection} Details: TCP 127.0.0.1:${port}: connect ECONNREFUSED`, undefined)
      await world.through(t, '127.0.0.1', 'plaintext', undefined, port)
      await heals(listener)
      await seen(listener, 2)
    })
  })

  suite('takes tokens that an issuer has signed, and no others', { concurrency: true }, () => {
    for (const algorithm of ['RS256', 'ES256'] as const)
      test(`by ${algorithm}, with extensions beside them (KIP-342)`, async t => {
        const extensions = [
          ['logicalCluster', 'lkc-1'],
          ['identityPoolId', 'pool-2']
        ] as const
        const held = { token: () => kafka.issuer.token({ algorithm }) }
        const { listener } = world.open(t, 'oauthbearer', { held, extensions })
        await seen(listener, 2)
        assert.deepEqual(listener.problems.filter(Boolean), [])
      })

    test('and renews them on living connections before they expire (KIP-368)', async t => {
      const { listener, secrets, log } = world.open(t, 'oauthbearer', {
        held: { token: () => kafka.issuer.token({ lifeMs: 13_000 }) }
      })
      await seen(listener, 2)
      const before = secrets.asked
      const warned = log.messages('warn').length
      await eventually(() => secrets.asked >= before + 9, {
        describe: 'several tokens of every connection',
        timeoutMs: 45_000
      })
      assert.deepEqual(log.messages('warn').slice(warned), [])
      assert.deepEqual(listener.events, ['assigned 0'])
    })
  })

  test('authenticates living connections anew, so that none is lost over many sessions (KIP-368)', async t => {
    const { listener, secrets, log } = world.open(t, 'plain')
    await seen(listener, 2)
    const before = secrets.asked
    await eventually(() => secrets.asked >= before + 12, { describe: 'several renewals of every connection' })
    await kafka.produce(topic, [{ value: 'c' }])
    await seen(listener, 3)
    assert.deepEqual(log.messages('warn'), [])
    assert.deepEqual(listener.events, ['assigned 0'])
    assert.deepEqual(listener.problems.filter(Boolean), [])
  })
})

function mayRead(principal: string, resource: 'topic' | 'group', name: string): Acl {
  return { principal, operation: 'read', resource, name }
}

async function saysDenied(
  listener: Parameters<typeof says>[0],
  address: string,
  what: string,
  code: string
): Promise<void> {
  await eventually(() => listener.problemNow?.message.endsWith(code) === true, {
    describe: () => `${code} (${listener.problemNow?.message})`,
    intervalMs: 20,
    timeoutMs: 5000
  })
  const start = `${sentences.authorize} Details: authorisation ${address}: `
  const text = await says(listener, start, denied)
  assert.ok(text.includes(what, start.length), text)
}
