import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SaslBroker } from '../support/kafka/sasl-broker.ts'
import { mappingWhen, sdkApi } from '../support/mapping-api.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'

const arn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:login'
const credential = { accessKeyId: 'writer', secretAccessKey: 'secret-of-writer' }
const mappings = 6

test('a wrong password is tried by one mapping for all, whatever thread they are in, and a cure at the broker is seen by all', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-wrong-password-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'login'), JSON.stringify({ username: 'orders', password: 'not yet right' }))
  const triedAtMs: number[] = []
  let isRight = false
  const broker = await SaslBroker.open({
    mechanisms: ['PLAIN'],
    authenticate: () => {
      triedAtMs.push(performance.now())
      return isRight ? { lifetimeMs: 0 } : { errorCode: 58, errorMessage: 'go away' }
    }
  })
  t.after(() => broker.close())
  const millrace = await MillraceProcess.start({
    config: {
      workers: 2,
      allowSaslPlaintext: true,
      credentials: [credential],
      functions: { web: { http: 'http://127.0.0.1:1/' } },
      secrets: { [arn]: { file: join(folder, 'login') } }
    }
  })
  t.after(() => millrace.close())
  const api = sdkApi({ url: millrace.url, ...credential })
  const uuids: string[] = []
  for (let index = 0; index < mappings; index++) {
    const { UUID = '' } = await api.create({
      FunctionName: 'web',
      Topics: [`orders-${index}`],
      StartingPosition: 'TRIM_HORIZON',
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [`127.0.0.1:${broker.port}`] } },
      SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: arn }],
      Tags: { 'millrace:sasl-plaintext': 'on' }
    })
    uuids.push(UUID)
  }
  for (const uuid of uuids)
    await mappingWhen(api, uuid, 'it tells of the refusal', ({ LastProcessingResult = '' }) =>
      LastProcessingResult.includes('go away')
    )
  await eventually(() => triedAtMs.length >= 5, { describe: 'five tries', timeoutMs: 20_000 })
  const gapsMs = triedAtMs.slice(1).map((atMs, index) => atMs - triedAtMs[index]!)
  for (const [index, leastMs] of [500, 1_000, 2_000, 4_000].entries())
    assert.ok(gapsMs[index]! >= leastMs - 20, `pauses of ${gapsMs.map(Math.round).join(', ')} ms`)

  const curedAtMs = performance.now()
  isRight = true
  await eventually(() => broker.authentications >= mappings, { describe: 'all are in', timeoutMs: 10_000 })
  const healedMs = performance.now() - curedAtMs
  assert.ok(healedMs < 5_000, `healed after ${Math.round(healedMs)} ms`)
})
