import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { SaslBroker } from '../support/kafka/sasl-broker.ts'
import { mappingWhen, sdkApi } from '../support/mapping-api.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import { MarkedSecrets } from './canary/marked-secrets.ts'

const arn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:login'
const breaker = pathToFileURL('test/fixtures/crash-on-request.mjs').href

suite('no secret shows where something breaks', () => {
  for (const how of ['exception', 'rejection'] as const)
    test(`an uncaught ${how} ends the process with its stack, and with nothing that the error carried`, async t => {
      const { millrace, secrets, shown } = await setup(t, how)
      process.kill(millrace.pid, 'SIGHUP')
      assert.deepEqual(await millrace.exited, { code: 1, signal: null })
      const said = millrace.said.join('\n')
      assert.match(said, /^millrace: broke: Error: broken on request\n +at /m)
      assert.deepEqual(secrets.foundIn(await shown()), [])
    })

  test('a data-plane thread that breaks is replaced, and its mapping goes on', async t => {
    const { millrace, secrets, shown, authentications } = await setup(t, 'thread')
    const before = authentications()
    process.kill(millrace.pid, 'SIGHUP')
    const line = await millrace.logs(/^a poller thread broke/)
    assert.equal(line.message, 'a poller thread broke: broken on request')
    await eventually(() => authentications() > before, { describe: 'a new thread tries again', timeoutMs: 20_000 })
    assert.deepEqual(secrets.foundIn(await shown()), [])
  })

  test('nothing is written about a fatal error unless it is asked for', async t => {
    const { millrace, secrets, shown, folder } = await setup(t, 'heap', ['--max-old-space-size=96'])
    process.kill(millrace.pid, 'SIGHUP')
    assert.equal((await millrace.exited).signal, 'SIGABRT')
    assert.match(millrace.said.join('\n'), /heap out of memory/)
    assert.deepEqual(await reports(folder), [])
    assert.deepEqual(secrets.foundIn(await shown()), [])
  })

  test('a report of Node.js that was asked for has nothing of the environment, of the process or of its threads', async t => {
    const { millrace, secrets, shown, folder } = await setup(t, 'exception', [
      '--report-on-signal',
      '--report-uncaught-exception',
      '--report-on-fatalerror'
    ])
    process.kill(millrace.pid, 'SIGUSR2')
    await eventually(async () => (await reports(folder)).length === 1, { describe: 'a report of the running process' })
    process.kill(millrace.pid, 'SIGHUP')
    await millrace.exited
    const files = await reports(folder)
    assert.equal(files.length, 2, 'one when it was asked, one of the end')
    const texts = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')))
    assert.ok(texts.every(text => JSON.parse(text) !== null))
    assert.ok(
      texts.some(text => text.includes('"workers": [\n')),
      'threads are in it'
    )
    const outputs = await shown()
    for (const [index, text] of texts.entries()) outputs.set(`report ${index}`, text)
    assert.deepEqual(secrets.foundIn(outputs), [])
  })
})

const reports = async (folder: string) => (await readdir(folder)).filter(name => name.startsWith('report.'))

/** A server that breaks on request, with a mapping whose thread has shown its secret to a broker. */
async function setup(t: TestContext, how: string, nodeOptions: readonly string[] = []) {
  const secrets = new MarkedSecrets()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-crash-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const broker = await SaslBroker.open({
    mechanisms: ['PLAIN'],
    authenticate: () => ({ errorCode: 58, errorMessage: 'go away', lifetimeMs: 0 })
  })
  t.after(() => broker.close())
  const password = secrets.make('sasl-password')
  await writeFile(join(folder, 'login'), JSON.stringify({ username: 'orders', password }))
  const credential = { accessKeyId: 'writer', secretAccessKey: secrets.make('credential') }
  const millrace = await MillraceProcess.start({
    config: {
      allowSaslPlaintext: true,
      credentials: [credential],
      functions: {
        web: { http: `http://127.0.0.1:1/?key=${secrets.make('query')}`, headers: { 'x-key': secrets.make('header') } }
      },
      secrets: { [arn]: { file: join(folder, 'login') } }
    },
    env: {
      CRASH: how,
      CARRIED: secrets.make('what-an-error-carries'),
      AWS_ACCESS_KEY_ID: 'AKIATEST',
      AWS_SECRET_ACCESS_KEY: secrets.make('aws-secret-access-key'),
      AWS_SESSION_TOKEN: secrets.make('aws-session-token'),
      MILLRACE_ACCESS_KEY_ID: 'environment',
      MILLRACE_SECRET_ACCESS_KEY: secrets.make('environment-credential'),
      NODE_OPTIONS: [`--import=${breaker}`, `--report-directory=${folder}`, ...nodeOptions].join(' ')
    }
  })
  t.after(() => millrace.close())
  const api = sdkApi({ url: millrace.url, ...credential })
  const { UUID = '' } = await api.create({
    FunctionName: 'web',
    Topics: ['orders'],
    StartingPosition: 'TRIM_HORIZON',
    SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [`127.0.0.1:${broker.port}`] } },
    SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: arn }],
    Tags: { 'millrace:sasl-plaintext': 'on' }
  })
  await mappingWhen(api, UUID, 'the broker has seen its password', ({ LastProcessingResult = '' }) =>
    LastProcessingResult.includes('go away')
  )
  return {
    millrace,
    secrets,
    folder,
    authentications: () => broker.authentications,
    shown: async () =>
      new Map([
        ['what it said', millrace.said.join('\n')],
        ['the log', millrace.log.map(line => JSON.stringify(line)).join('\n')]
      ])
  }
}
