import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../../src/adapters/kafka/kafka-consumer.ts'
import { describeProblem } from '../../../src/core/mapping/processing-result.ts'
import type { SaslExtensions } from '../../../src/core/source/sasl-extensions.ts'
import type { ClientCertificate, ClusterSecurity } from '../../../src/ports/cluster-security.ts'
import type { Consumer } from '../../../src/ports/consumer.ts'
import { RecordingListener } from '../../adapters/kafka/recording-listener.ts'
import { eventually } from '../poll.ts'
import { RecordingLog } from '../recording-log.ts'
import { Authority } from './authority.ts'
import { FakeSecrets, secret } from './fake-secrets.ts'
import type { RealKafka } from './real-kafka.ts'
import { users } from './server-properties.ts'
import type { ListenerName } from './server-properties.ts'

const login = secret('LOGIN')
const serverRootCa = secret('ROOT')

/** Every way to authenticate (reference 9.1), and the listener that takes it. */
export const methods = {
  plaintext: { listener: 'plaintext', security: { protocol: 'PLAINTEXT' } },
  tls: { listener: 'tls', security: { protocol: 'SSL', serverRootCa } },
  mtls: { listener: 'mtls', security: { protocol: 'SSL', serverRootCa, clientCertificate: secret('CLIENT') } },
  scram512: { listener: 'sasl', security: sasl('SCRAM-SHA-512') },
  scram256: { listener: 'sasl', security: sasl('SCRAM-SHA-256') },
  plain: { listener: 'sasl', security: sasl('PLAIN') },
  oauthbearer: { listener: 'sasl', security: sasl('OAUTHBEARER') },
  iam: { listener: 'sasl', security: sasl('AWS_MSK_IAM') },
  'sasl without tls': {
    listener: 'sasl_plaintext',
    security: { protocol: 'SASL_PLAINTEXT', mechanism: 'SCRAM-SHA-512', login }
  }
} as const satisfies Record<string, { listener: ListenerName; security: ClusterSecurity }>

export type Method = keyof typeof methods

function sasl(mechanism: NonNullable<ClusterSecurity['mechanism']>): ClusterSecurity {
  const common = { protocol: 'SASL_SSL', mechanism, serverRootCa } as const
  if (mechanism === 'AWS_MSK_IAM') return { ...common, iam: { region: 'us-east-1' } }
  if (mechanism === 'OAUTHBEARER')
    return { ...common, oidc: { tokenEndpoint: 'http://127.0.0.1/token', client: secret('CLIENT') } }
  return { ...common, login }
}

export interface ReaderWish {
  readonly topic?: string
  readonly groupId?: string
  readonly groupProtocol?: 'classic' | 'consumer'
  /** Instead of the method's own listener. */
  readonly bootstrap?: readonly string[]
  /** SASL extensions, with tokens. */
  readonly extensions?: SaslExtensions
  /** In place of what works. */
  readonly held?: FakeSecrets['current']
}

export interface Reader {
  readonly consumer: Consumer
  readonly listener: RecordingListener
  readonly secrets: FakeSecrets
  readonly log: RecordingLog
  /** The broker that it was told of. */
  readonly address: string
}

/** A Kafka with all its listeners, and what it takes to be let in: `alice` by password, `carol` by token, `client` by certificate. */
export class SecuredWorld {
  readonly kafka: RealKafka
  readonly authority: Authority
  readonly stranger: Authority
  readonly #held: FakeSecrets['current']
  #groups = 0

  private constructor(kafka: RealKafka, authority: Authority, stranger: Authority, held: FakeSecrets['current']) {
    this.kafka = kafka
    this.authority = authority
    this.stranger = stranger
    this.#held = held
  }

  static async of(kafka: RealKafka): Promise<SecuredWorld> {
    const { ca, caKey } = kafka.certificates
    const authority = new Authority(await readFile(ca, 'utf8'), await readFile(caKey, 'utf8'))
    const stranger = await Authority.create('stranger')
    return new SecuredWorld(kafka, authority, stranger, {
      login: { username: 'alice', password: users.alice },
      clientCertificate: await authority.issue({ commonName: 'client' }),
      serverRootCa: authority.pem,
      token: () => kafka.issuer.token(),
      awsKeys: { accessKeyId: 'AKID', secretAccessKey: 'key' }
    })
  }

  /** A consumer that runs until the test ends. */
  open(t: TestContext, method: Method, wish: ReaderWish = {}): Reader {
    const { listener: name, security: usual } = methods[method]
    const security: ClusterSecurity =
      'oidc' in usual && usual.oidc !== undefined && wish.extensions !== undefined
        ? { ...usual, oidc: { ...usual.oidc, extensions: wish.extensions } }
        : usual
    const listener = new RecordingListener()
    const secrets = new FakeSecrets({ ...this.#held, ...wish.held })
    const log = new RecordingLog()
    const bootstrapServers = wish.bootstrap ?? this.kafka.bootstrap(name)
    const consumer = openKafkaConsumer(
      {
        cluster: { bootstrapServers, security },
        topic: wish.topic ?? 'orders',
        groupId: wish.groupId ?? `readers-${++this.#groups}`,
        clientId: 'test',
        startingPosition: { kind: 'TRIM_HORIZON' },
        groupProtocol: wish.groupProtocol ?? 'classic',
        drainMs: 1000
      },
      { clock: systemClock, log, secrets },
      { sessionTimeoutMs: 6000, metadataMaxAgeMs: 1000 }
    )
    t.after(() => consumer.stop())
    consumer.start(listener)
    return { listener, consumer, secrets, log, address: bootstrapServers[0]! }
  }

  /** The address of a relay to the listener: there it is met under another name, or with this certificate before it. */
  through(
    t: TestContext,
    host: string,
    listener: ListenerName,
    certificate?: ClientCertificate,
    at = 0
  ): Promise<string> {
    const port = Number(this.kafka.bootstrap(listener)[0]!.split(':')[1])
    const relay = (socket: Socket) => {
      const onward = connect(port, '127.0.0.1')
      socket.pipe(onward).pipe(socket)
      socket.on('error', () => onward.destroy())
      onward.on('error', () => socket.destroy())
    }
    if (certificate === undefined) return listening(t, createServer(relay), host, at)
    const shown = { cert: certificate.certificatePem, key: certificate.privateKeyPem }
    const server = createTlsServer(shown, relay)
    server.on('tlsClientError', () => undefined)
    return listening(t, server, host, at)
  }

  /** An address where connections are taken and nothing is ever answered. */
  blackHole(t: TestContext): Promise<string> {
    return listening(
      t,
      createServer(socket => void socket.on('error', () => undefined)),
      '127.0.0.1'
    )
  }
}

async function listening(t: TestContext, server: Server, host: string, at = 0): Promise<string> {
  server.listen(at, host)
  await once(server, 'listening')
  t.after(() => server.close())
  return `${host}:${(server.address() as AddressInfo).port}`
}

/** LastProcessingResult and StateTransitionReason as they are now. */
export function told(listener: RecordingListener): { text: string; reason?: string } | undefined {
  return listener.problemNow === undefined ? undefined : describeProblem(listener.problemNow)
}

/** A text that starts so is told within five seconds; resolves to all of it. */
export async function says(listener: RecordingListener, start: string, reason: string | undefined): Promise<string> {
  const result = await eventually(
    () => {
      const now = told(listener)
      return now?.text.startsWith(start) === true && now
    },
    { describe: () => `${start} (${told(listener)?.text})`, intervalMs: 20, timeoutMs: 5000 }
  )
  assert.equal(result.reason, reason)
  return result.text
}

/** The problem is taken back within five seconds. */
export function heals(listener: RecordingListener): Promise<unknown> {
  return eventually(() => listener.problemNow === undefined, {
    describe: () => `well again (${told(listener)?.text})`,
    intervalMs: 20,
    timeoutMs: 5000
  })
}

export function seen(listener: RecordingListener, count: number): Promise<unknown> {
  return eventually(() => listener.records.length >= count, {
    describe: () => `${count} records (${listener.records.length}; ${told(listener)?.text})`,
    intervalMs: 20,
    timeoutMs: 15_000
  })
}
