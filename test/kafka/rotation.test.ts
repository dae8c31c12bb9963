import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { MillraceWorld } from '../e2e/millrace-world.ts'
import { Authority } from '../support/kafka/authority.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { changePassword } from '../support/kafka/scram-passwords.ts'
import { users, type ListenerName } from '../support/kafka/server-properties.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { assertExactlyOnce, realKafka } from '../support/written-topic.ts'

const arn = (name: string): string => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`
const passwordChanges = 20
const certificateChanges = 4
/** Of each: it has expired when its successor has to be shown. */
const certificateLifeMs = 7_000
/** Of the token issuer; a run by hand makes it the five minutes of real ones. */
const outageMs = Number(process.env['MILLRACE_TEST_OUTAGE_SECONDS'] ?? 15) * 1_000

await kafkaSuite('secrets that change under load', () => {
  const kafka = kafkaForSuite({
    listeners: ['mtls', 'sasl'],
    serverProperties: {
      // Every connection has to prove itself anew again and again: a broker takes one proof a second at most.
      'listener.name.sasl.scram-sha-512.connections.max.reauth.ms': '1500',
      'listener.name.sasl.oauthbearer.connections.max.reauth.ms': '6000',
      // Those who say nothing are cut, so that new connections are made with what is in force then.
      'connections.max.idle.ms': '2000'
    }
  })

  /** A server with a mapping whose secrets are files; `write` replaces one while it is read. */
  async function setup(t: TestContext, name: string, listener: ListenerName, types: readonly string[], tags = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-rotation-'))
    t.after(() => rm(folder, { recursive: true }))
    const write = async (type: string, content: object) => {
      await writeFile(join(folder, 'new'), JSON.stringify(content))
      await rename(join(folder, 'new'), join(folder, type))
    }
    await write('SERVER_ROOT_CA_CERTIFICATE', { certificate: await readFile(kafka.certificates.ca, 'utf8') })
    const world = await MillraceWorld.open(t, realKafka(kafka))
    const all = ['SERVER_ROOT_CA_CERTIFICATE', ...types]
    const millrace = await world.serve({
      config: { secrets: Object.fromEntries(all.map(type => [arn(type), { file: join(folder, type) }])) }
    })
    const topic = await world.topic(name, 3)
    const map = () =>
      world.map(millrace, topic.name, {
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap(listener) } },
        SourceAccessConfigurations: all.map(Type => ({ Type: Type as 'BASIC_AUTH', URI: arn(Type) })),
        BatchSize: 5,
        MaximumBatchingWindowInSeconds: 0,
        Tags: tags
      })
    /** Nothing lost, nothing twice, and one poller from beginning to end. */
    const sound = async () => {
      await world.succeeded(topic.total)
      assertExactlyOnce(world.function.values(), topic.values())
      world.assertSound(topic)
      const joins = millrace.log.filter(({ message }) => message === 'joined the group')
      const broken = millrace.log.filter(({ message }) => /poller (failed|broke)|lost the membership/.test(message))
      assert.deepEqual(broken, [])
      return joins
    }
    return { world, millrace, topic, map, write, sound }
  }

  suite('lose nothing, repeat nothing and restart nothing', { concurrency: 3 }, () => {
    test(`${passwordChanges} changes of a SCRAM password, each met by connections that live and by new ones`, async t => {
      const { topic, map, write, sound, world, millrace } = await setup(t, 'passwords', 'sasl', ['SASL_SCRAM_512_AUTH'])
      const superUser = kafka.bootstrap()[0]!
      await write('SASL_SCRAM_512_AUTH', { username: 'bob', password: users.bob })
      await map()
      let rounds = 0
      const over = new AbortController()
      const load = (async () => {
        for (; !over.signal.aborted; rounds++) {
          await topic.write(10)
          await world.succeeded(topic.total)
        }
      })()
      for (let change = 1; change <= passwordChanges; change++) {
        const password = `bob-${change}`
        const tell = () => write('SASL_SCRAM_512_AUTH', { username: 'bob', password })
        // By turns the brokers know first, and the secret.
        if (change % 2 === 0) await tell()
        await changePassword(superUser, 'bob', password)
        if (change % 2 === 1) await tell()
        // Every connection has to prove itself anew meanwhile.
        const [changedMs, before] = [Date.now(), rounds]
        await eventually(() => rounds >= before + 3 && Date.now() - changedMs > 1_500, {
          describe: `records flow after change ${change}`,
          timeoutMs: 20_000
        })
      }
      over.abort()
      await load
      const joins = await sound()
      const renewed = millrace.log.filter(({ message }) => message.includes('connecting anew')).length
      t.diagnostic(
        `${passwordChanges} passwords, ${topic.total} records, ${joins.length} joins, ${renewed} renewals refused with the old one`
      )
      assert.ok(joins.length <= 1, `${joins.length} joins: connections came and went, the member stayed`)
    })

    test(`${certificateChanges} changes of a client certificate, each when its predecessor is about to expire`, async t => {
      const { topic, map, write, sound, world, millrace } = await setup(t, 'certificates', 'mtls', [
        'CLIENT_CERTIFICATE_TLS_AUTH'
      ])
      const { ca, caKey } = kafka.certificates
      const authority = new Authority(await readFile(ca, 'utf8'), await readFile(caKey, 'utf8'))
      const renew = async () => {
        const until = new Date(Date.now() + certificateLifeMs)
        const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 'client', until })
        await write('CLIENT_CERTIFICATE_TLS_AUTH', { certificate: certificatePem, privateKey: privateKeyPem })
        return until.getTime()
      }
      const cuts = () =>
        millrace.log.filter(({ error }) => typeof error === 'string' && error.includes('closed the connection')).length
      const flow = async (untilMs: number) => {
        do {
          await topic.write(5)
          await world.succeeded(topic.total)
        } while (Date.now() < untilMs)
      }
      let expiresMs = await renew()
      await map()
      for (let change = 1; change <= certificateChanges; change++) {
        await flow(expiresMs - certificateLifeMs / 2)
        const before = expiresMs
        expiresMs = await renew()
        await flow(before)
        // Idle connections are cut: new ones have to show the new certificate, for the old one has expired.
        const cut = cuts()
        await eventually(() => cuts() > cut, { describe: 'an idle connection was cut', timeoutMs: 20_000 })
        await flow(0)
        expiresMs = await renew()
      }
      await sound()
      t.diagnostic(`${certificateChanges} certificates were swapped, ${cuts()} connections cut, ${topic.total} records`)
    })

    // One issuer for both: they run one after the other.
    suite('a token issuer that is down', { concurrency: false }, () => {
      async function withTokens(t: TestContext, name: string, lifeMs: number) {
        const { issuer } = kafka
        issuer.lifeMs = lifeMs
        const world = await setup(t, name, 'sasl', ['BASIC_AUTH'], { 'millrace:oidc-token-endpoint': issuer.tokenUrl })
        await world.write('BASIC_AUTH', issuer.client)
        const uuid = await world.map()
        await world.topic.write(10)
        await world.world.succeeded(world.topic.total)
        return { ...world, issuer, uuid, api: await world.world.api(world.millrace) }
      }

      test('for longer than its tokens live: all goes on when it is back', async t => {
        const { issuer, uuid, api, topic, sound } = await withTokens(t, 'tokens', 6_000)
        issuer.isDown = true
        await topic.write(10)
        // Brokers end the connections, and new ones have nothing to show.
        const failed = await mappingWhen(api, uuid, 'it says so', ({ LastProcessingResult = '' }) =>
          LastProcessingResult.startsWith('PROBLEM')
        )
        assert.match(failed.LastProcessingResult ?? '', /The token endpoint .* gave no token: HTTP 503/)
        await topic.write(10)
        issuer.isDown = false
        await sound()
        await mappingWhen(api, uuid, 'well', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
        assert.ok(issuer.given > 3, 'tokens were renewed')
      })

      test('for longer than sessions last, while tokens are good: connections live on and nobody notices', async t => {
        const { issuer, uuid, api, topic, sound, world, millrace } = await withTokens(t, 'long-tokens', 3 * outageMs)
        const { asked } = issuer
        issuer.isDown = true
        const downMs = Date.now()
        let slowestMs = 0
        while (Date.now() - downMs < outageMs) {
          const beganMs = Date.now()
          await topic.write(2)
          await world.succeeded(topic.total)
          slowestMs = Math.max(slowestMs, Date.now() - beganMs)
        }
        const { LastProcessingResult } = await api.get(uuid)
        assert.equal(LastProcessingResult, 'OK')
        const { given } = issuer
        issuer.isDown = false
        await eventually(() => issuer.given > given, { describe: 'a token is given again', timeoutMs: 15_000 })
        await topic.write(2)
        const joins = await sound()
        assert.equal(joins.length, 1)
        // One that is idle may be cut by the broker in the middle of it; what matters is that none was refused.
        const refused = millrace.log.filter(({ error }) => /refuses the token|SASL_/.test(String(error)))
        assert.deepEqual(refused, [])
        t.diagnostic(
          `down for ${Math.round(outageMs / 1_000)} s, asked ${issuer.asked - asked} times; ${topic.total} records, none lost or ` +
            `repeated, the slowest write and call of six took ${slowestMs} ms`
        )
      })
    })
  })
})
