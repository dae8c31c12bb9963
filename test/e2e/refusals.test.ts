import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { secretAccessKey } from '../control/control-world.ts'
import { signedFetch } from '../control/signed-fetch.ts'
import { awsCliTest, awsLambda } from '../support/aws-cli.ts'
import { runMillrace } from '../support/millrace-process.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const freePorts = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'] as const

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-e2e-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

suite('a server that cannot start says why in one sentence', { concurrency: 2 }, () => {
  test('an unknown field in millrace.yaml: exit 2, named with the nearest known one', async () => {
    const { code, stdout, stderr } = await runMillrace(['serve', ...freePorts], { functoins: {} })
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /^millrace: Unknown key functoins in millrace\.yaml.* Did you mean functions\?/)
  })

  test('a function that is neither of what there is: exit 2, named', async () => {
    const { code, stderr } = await runMillrace(['serve', ...freePorts], { functions: { orders: { htpp: 'x' } } })
    assert.equal(code, 2)
    assert.match(stderr, /^millrace: Unknown key .*htpp.* Did you mean .*http\?/)
  })

  for (const [flag, key] of [
    ['--listen', 'listen'],
    ['--admin-listen', 'adminListen']
  ] as const) {
    test(`a port in use for ${flag}: exit 1; host, port and the field to change are named`, async t => {
      const occupant = createServer().listen(0, '127.0.0.1')
      t.after(() => occupant.close())
      await once(occupant, 'listening')
      const taken = `127.0.0.1:${(occupant.address() as AddressInfo).port}`
      const dataDir = await scratch(t)
      const args = ['serve', '--data-dir', dataDir, ...freePorts, flag, taken]
      const { code, stdout, stderr } = await runMillrace(args)
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
      assert.match(
        stderr,
        new RegExp(
          `^millrace: Cannot listen on ${taken} .*another program has the port.* set ${key} to another port`,
          'm'
        )
      )
    })
  }

  test('a data directory that cannot be made: exit 1, named', async t => {
    const file = join(await scratch(t), 'a-file')
    await writeFile(file, '')
    const { code, stdout, stderr } = await runMillrace(['serve', '--data-dir', join(file, 'data'), ...freePorts])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.ok(stderr.includes(join(file, 'data')), stderr)
    assert.match(stderr, /^millrace: The data directory .* cannot be used: /m)
  })

  test('a data directory that another server uses: exit 1, named, and the other goes on', async t => {
    const world = await EmbeddedWorld.open(t)
    const millrace = await world.serve()
    const { code, stdout, stderr } = await runMillrace(['serve', '--data-dir', millrace.dataDir, ...freePorts])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /^millrace: The store .* is in use by another process/m)
    assert.ok(stderr.includes(millrace.dataDir), stderr)
    assert.deepEqual(await (await world.api(millrace)).list({}), [])
  })
})

suite('a request that cannot be met is refused and changes nothing', () => {
  test('by the SDK: an unknown function, an unknown cluster, a value out of range', async t => {
    const world = await EmbeddedWorld.open(t)
    const millrace = await world.serve()
    const api = await world.api(millrace)
    await assert.rejects(world.map(millrace, 'orders', { FunctionName: 'nobody' }), {
      code: 'InvalidParameterValueException',
      message: 'Function does not exist'
    })
    const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/elsewhere/11111111-1111-1111-1111-111111111111-1'
    const unknownCluster = { FunctionName: 'orders', Topics: ['orders'], EventSourceArn: arn }
    await assert.rejects(api.create({ ...unknownCluster, StartingPosition: 'LATEST' }), {
      code: 'InvalidParameterValueException',
      message: /elsewhere/
    })
    await assert.rejects(world.map(millrace, 'orders', { BatchSize: 10_001 }), {
      code: /ValidationException|InvalidParameterValueException/,
      message: /batchSize/i
    })
    assert.deepEqual(await api.list({}), [])
  })

  awsCliTest('by the AWS CLI: an unknown function is told on the terminal', async t => {
    const world = await EmbeddedWorld.open(t)
    const millrace = await world.serve()
    const access = { url: millrace.url, ...(await millrace.credentials()) }
    const servers = JSON.stringify({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: world.kafka.bootstrap } })
    const create = ['create-event-source-mapping', '--function-name', 'nobody', '--topics', 'orders']
    await assert.rejects(
      awsLambda(access, [...create, '--starting-position', 'LATEST', '--self-managed-event-source', servers]),
      { code: 'InvalidParameterValueException', message: 'Function does not exist' }
    )
  })

  test('over raw HTTP: a body that is no JSON, a member of the wrong type, and an unknown operation', async t => {
    const world = await EmbeddedWorld.open(t)
    const credentials = [{ accessKeyId: 'writer', secretAccessKey, access: 'write' }]
    const millrace = await world.serve({ config: { credentials } })
    const call = async (method: string, path: string, body?: string) => {
      const response = await signedFetch(millrace.url, method, path, body === undefined ? {} : { body })
      const { message, Message } = (await response.json()) as { message?: string; Message?: string }
      return [response.status, response.headers.get('x-amzn-errortype'), message ?? Message] as const
    }
    const mappings = '/2015-03-31/event-source-mappings/'
    const noJson = await call('POST', mappings, '{"FunctionName": "orders"')
    assert.deepEqual(noJson.slice(0, 2), [400, 'SerializationException'])
    assert.match(noJson[2] ?? '', /^Could not parse request body into json/)
    const wrongType = await call('POST', mappings, '{"FunctionName":"orders","BatchSize":"many"}')
    assert.deepEqual(wrongType.slice(0, 2), [400, 'SerializationException'])
    assert.match(wrongType[2] ?? '', /BatchSize must be /)
    const unknown = await call('GET', '/2015-03-31/nowhere')
    assert.deepEqual(unknown.slice(0, 2), [404, 'UnknownOperationException'])
    assert.equal(millrace.said.length, 0, 'no key is made when one is configured')
  })
})
