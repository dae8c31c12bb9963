import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import type { CreateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import { stringify } from 'yaml'
import { runCli } from '../../src/app/cli/program.ts'
import { signedFetch } from '../control/signed-fetch.ts'
import { SaslBroker } from '../support/kafka/sasl-broker.ts'
import { mappingWhen, sdkApi } from '../support/mapping-api.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import { RecordingIo } from '../support/recording-io.ts'
import { withEnvironment } from '../support/stub-aws.ts'
import { TestCertificates } from '../support/test-certificates.ts'
import { givesToken, refusesToken, repeatsEverything, serveHttp } from './canary/hostile-endpoints.ts'
import { MarkedSecrets } from './canary/marked-secrets.ts'

const arn = (name: string): string => `arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}`
const iamCluster = 'arn:aws:kafka:us-east-1:123456789012:cluster/iam/11111111-1111-1111-1111-111111111111-1'
const askedCluster = 'arn:aws:kafka:us-east-1:123456789012:cluster/asked/22222222-2222-2222-2222-222222222222-2'
const tag = { endpoint: 'millrace:oidc-token-endpoint' }

suite('no secret shows anywhere', () => {
  test('a marked secret is found by its look, plain and coded', () => {
    const secrets = new MarkedSecrets()
    const secret = secrets.make('one')
    for (const shown of [secret, encodeURIComponent(secret), Buffer.from(`user:${secret}!`).toString('base64')])
      assert.deepEqual(secrets.foundIn(new Map([['x', `before ${shown} after`]])), ['one shows in x'])
    assert.deepEqual(secrets.foundIn(new Map([['x', 'CANARY.two.0']])), [])
  })

  test('while every error is provoked: log, API, commands, process list', async t => {
    const secrets = new MarkedSecrets()
    const world = await setup(t, secrets)
    const { millrace, run, mappings, credentials } = world
    const outputs = new Map<string, string>()
    const api = sdkApi({ url: millrace.url, ...credentials })
    const uuids = new Map<string, string>()
    for (const [name, input] of mappings) {
      const made = await api
        .create({ FunctionName: 'web', Topics: [name], StartingPosition: 'TRIM_HORIZON', ...input })
        .catch((error: Error) => error)
      if (made instanceof Error) outputs.set(`Create of ${name}`, made.message)
      else uuids.set(name, made.UUID!)
    }
    assert.deepEqual(
      [...uuids.keys()].toSorted(),
      mappings
        .map(([name]) => name)
        .filter(name => name !== 'asked')
        .toSorted()
    )
    for (const [name, uuid] of uuids) {
      const failed = await mappingWhen(api, uuid, 'it tells of its problem', ({ LastProcessingResult = '' }) =>
        LastProcessingResult.startsWith('PROBLEM')
      )
      outputs.set(`GetEventSourceMapping of ${name}`, JSON.stringify(failed))
    }
    const [[, first] = ['', '']] = uuids
    const commands = [
      ...[...uuids.values()].map(uuid => ['doctor', uuid]),
      ...['kafka', 'function', 'network', 'vpc-endpoints'].map(kind => ['policy', kind, first]),
      ['mappings', 'history', first],
      ['mappings', 'list'],
      ['mappings', 'get', first],
      ['serve', '--print-config'],
      ['serve', '--print-config', '--output', 'json'],
      [
        'doctor',
        '--bootstrap',
        world.broker,
        '--access',
        `BASIC_AUTH=${arn('login')}`,
        '--function',
        'web',
        '--topic',
        't'
      ],
      ['doctor', '--cluster-arn', askedCluster, '--topic', 't'],
      ['filter', 'test', '--live', first]
    ]
    const waiting = commands.values()
    const work = async () => {
      for (const args of waiting) outputs.set(args.join(' '), (await run(args)).all)
    }
    await Promise.all([work(), work(), work(), work()])
    outputs.set('the API', await everyRoute(millrace.url, credentials))
    outputs.set('metrics', await (await fetch(`${millrace.adminUrl}/metrics`)).text())
    outputs.set('the process list', await commandLines(millrace.pid))
    await api.delete(first)
    await millrace.stop()
    outputs.set('the log', [...millrace.said, ...millrace.log.map(line => JSON.stringify(line))].join('\n'))
    for (const [output, text] of outputs) assert.notEqual(text, '', `${output} is empty`)
    assert.deepEqual(secrets.foundIn(outputs), [])
  })

  for (const [what, yaml] of [
    ['YAML that breaks off inside a secret', 'credentials:\n  - { accessKeyId: a, secretAccessKey: "SECRET\n'],
    ['a secret where a list should be', 'credentials: SECRET\n'],
    ['a key that does not exist', 'credentials:\n  - { accessKeyId: a, secretAccessKey: SECRET, secretKey: SECRET }\n'],
    ['a secret in place of where it is', `secrets:\n  "${arn('x')}": SECRET\n`],
    ['a secret in place of a file', `secrets:\n  "${arn('x')}": { file: [SECRET] }\n`],
    ['a header that is none', 'functions:\n  f: { http: "http://127.0.0.1:1", headers: { "x y": SECRET } }\n'],
    ['a header with a line break', 'functions:\n  f: { http: "http://127.0.0.1:1", headers: { x: "SECRET\\n" } }\n'],
    ['a URL with a password', 'functions:\n  f: { http: "http://user:SECRET@127.0.0.1:1" }\n'],
    ['a URL that is none, with a key', 'functions:\n  f: { http: "ftp://127.0.0.1:1?key=SECRET" }\n'],
    ['an environment that is none', 'functions:\n  f: { handler: ./a.b, environment: SECRET }\n'],
    ['a secret of the wrong kind', 'credentials:\n  - { accessKeyId: a, secretAccessKey: [SECRET] }\n']
  ] as const)
    test(`a configuration that cannot be used: ${what}`, async t => {
      const secrets = new MarkedSecrets()
      const folder = await folderOf(t)
      await writeFile(join(folder, 'millrace.yaml'), yaml.replaceAll('SECRET', secrets.make('config')))
      const { code, all } = await runIn(folder, {}, ['serve', '--data-dir', './data'])
      assert.deepEqual([code, secrets.foundIn(new Map([['its output', all]]))], [2, []], all)
    })
})

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-canary-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A server that was given every kind of secret, and mappings that fail in every way that is cheap. */
async function setup(t: TestContext, secrets: MarkedSecrets) {
  const folder = await folderOf(t)
  await using made = await TestCertificates.open()
  const password = secrets.make('key-password')
  await made.make('ca')
  await made.make('client', 'ca')
  await made.openssl('genrsa -out plain.key 2048')
  await made.openssl(`pkcs8 -topk8 -v2 aes-256-cbc -in plain.key -passout pass:${password} -out encrypted.key`)
  const brokerCertificate = { key: await made.read('ca.key'), cert: await made.read('ca.pem') }
  const openBroker = async (mechanisms: string[]) => {
    const refuse = { errorCode: 58, errorMessage: 'go away', lifetimeMs: 0 }
    const broker = await SaslBroker.open({ tls: brokerCertificate, mechanisms, authenticate: () => refuse })
    t.after(() => broker.close())
    return `localhost:${broker.port}`
  }
  const broker = await openBroker(['PLAIN', 'SCRAM-SHA-512', 'OAUTHBEARER', 'AWS_MSK_IAM'])
  const login = { username: 'orders', password: secrets.make('sasl-password') }
  const oidc = { clientId: 'client', clientSecret: secrets.make('oidc-client-secret') }
  const key = secrets.markPem('private-key', await made.read('client.key'))
  const held: Record<string, string> = {
    login: JSON.stringify(login),
    oidc: JSON.stringify(oidc),
    root: JSON.stringify({ certificate: (await made.read('ca.pem')).replaceAll('\n', ' ') }),
    client: JSON.stringify({ certificate: await made.read('client.pem'), privateKey: key }),
    foreign: JSON.stringify({
      certificate: await made.read('client.pem'),
      privateKey: secrets.markPem('encrypted-key', await made.read('encrypted.key')),
      privateKeyPassword: password
    }),
    wrongPassword: JSON.stringify({
      certificate: await made.read('client.pem'),
      privateKey: await made.read('encrypted.key'),
      privateKeyPassword: secrets.make('wrong-key-password')
    }),
    broken: `{"username": "${secrets.make('broken-secret')}`
  }
  for (const [name, content] of Object.entries(held)) await writeFile(join(folder, name), content)
  await writeFile(
    join(folder, 'crash.mjs'),
    'export const handler = () => { throw new Error(process.env.UNRELATED) }\n'
  )
  const aws = await serveHttp(t, repeatsEverything)
  const sessionToken = secrets.make('aws-session-token')
  const config = {
    logLevel: 'debug',
    credentials: [
      { accessKeyId: 'writer', secretAccessKey: secrets.make('credential') },
      { accessKeyId: 'reader', secretAccessKey: secrets.make('reader-credential'), access: 'read' }
    ],
    functions: {
      web: { http: `http://127.0.0.1:1/?key=${secrets.make('query')}`, headers: { 'x-key': secrets.make('header') } },
      local: { handler: './crash.handler', environment: { TOKEN: secrets.make('function-environment') } }
    },
    clusters: { [iamCluster]: { saslIam: [broker], rootCa: join(folder, 'ca.pem') } },
    secrets: Object.fromEntries(Object.keys(held).map(name => [arn(name), { file: join(folder, name) }]))
  }
  await writeFile(join(folder, 'ca.pem'), await made.read('ca.pem'))
  const env = {
    AWS_ACCESS_KEY_ID: 'AKIATEST',
    AWS_SECRET_ACCESS_KEY: secrets.make('aws-secret-access-key'),
    AWS_SESSION_TOKEN: sessionToken,
    AWS_ENDPOINT_URL: `http://${aws}`,
    MILLRACE_ACCESS_KEY_ID: 'environment',
    MILLRACE_SECRET_ACCESS_KEY: secrets.make('environment-credential')
  }
  const refusing = `http://${await serveHttp(t, refusesToken)}/token`
  const giving = `http://${await serveHttp(t, givesToken(secrets.make('oidc-token')))}/token`
  const own = (...access: readonly (readonly [string, string])[]) => ({
    SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [broker] } },
    SourceAccessConfigurations: [['SERVER_ROOT_CA_CERTIFICATE', 'root'] as const, ...access].map(([Type, name]) => ({
      Type,
      URI: arn(name)
    })) as NonNullable<CreateEventSourceMappingCommandInput['SourceAccessConfigurations']>
  })
  const mappings: [string, Partial<CreateEventSourceMappingCommandInput>][] = [
    ['plain', own(['BASIC_AUTH', 'login'])],
    ['scram', own(['SASL_SCRAM_512_AUTH', 'login'])],
    ['not-taken', own(['SASL_SCRAM_256_AUTH', 'login'])],
    ['broken', own(['BASIC_AUTH', 'broken'])],
    ['mutual', own(['CLIENT_CERTIFICATE_TLS_AUTH', 'client'])],
    ['foreign-key', own(['CLIENT_CERTIFICATE_TLS_AUTH', 'foreign'])],
    ['wrong-key-password', own(['CLIENT_CERTIFICATE_TLS_AUTH', 'wrongPassword'])],
    ['token-refused', { ...own(['BASIC_AUTH', 'oidc']), Tags: { [tag.endpoint]: refusing } }],
    ['token-given', { ...own(['BASIC_AUTH', 'oidc']), Tags: { [tag.endpoint]: giving } }],
    ['secrets-manager', own(['BASIC_AUTH', 'of-aws'])],
    ['iam', { EventSourceArn: iamCluster }],
    [
      'role',
      {
        EventSourceArn: iamCluster,
        FunctionName: 'local',
        Tags: { 'millrace:role-arn': 'arn:aws:iam::123456789012:role/r', 'millrace:external-id': 'ext' }
      }
    ],
    ['asked', { EventSourceArn: askedCluster }]
  ]
  const millrace = await MillraceProcess.start({ config, env, args: [] })
  t.after(() => millrace.close())
  await writeFile(join(folder, 'millrace.yaml'), stringify(config))
  withEnvironment(t, env)
  const run = (args: readonly string[]) => runIn(folder, { ...env, MILLRACE_ENDPOINT: millrace.url }, args)
  const credentials = { accessKeyId: 'writer', secretAccessKey: config.credentials[0]!.secretAccessKey }
  return { millrace, run, mappings, credentials, broker }
}

/** Right and wrong signatures, and what an API that shows functions shows of them. */
async function everyRoute(url: string, key: { accessKeyId: string; secretAccessKey: string }): Promise<string> {
  const answers: string[] = []
  for (const path of [
    '/2015-03-31/event-source-mappings/',
    '/2015-03-31/functions/',
    '/2015-03-31/functions/web',
    '/2015-03-31/functions/web/configuration',
    '/2015-03-31/functions/local',
    '/2015-03-31/functions/unknown',
    '/nothing'
  ])
    for (const secretAccessKey of [key.secretAccessKey, 'wrong']) {
      const answer = await signedFetch(url, 'GET', path, { ...key, secretAccessKey })
      answers.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`)
    }
  for (const name of ['web', 'local']) {
    const headers = { 'x-amz-log-type': 'Tail' }
    const path = `/2015-03-31/functions/${name}/invocations`
    const answer = await signedFetch(url, 'POST', path, { body: '{}', headers, ...key })
    answers.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`)
  }
  return answers.join('\n')
}

/** What `ps` shows of a process and of all that it started. */
async function commandLines(pid: number): Promise<string> {
  const own = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  const below: string[] = []
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const children = await readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')
    for (const child of children.split(' ').filter(Boolean)) below.push(await commandLines(Number(child)))
  }
  return [own, ...below].join('\n').replaceAll('\0', ' ')
}

/** One command in a folder. AWS's own clients find their keys in the process, where `withEnvironment` has put them. */
async function runIn(cwd: string, env: Readonly<Record<string, string>>, args: readonly string[]) {
  const io = new RecordingIo({ cwd, env })
  const code = await runCli(args, io)
  return { code, all: `${io.out}\n${io.err}` }
}
