import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { load, setup } from './config-world.ts'

test('works with no file at all', async () => {
  const { config, cwd, file, warnings } = await load()
  assert.deepEqual(structuredClone(config), {
    listen: { host: '127.0.0.1', port: 4577 },
    adminListen: { host: '127.0.0.1', port: 4578 },
    dataDir: join(cwd, '.millrace'),
    store: { kind: 'sqlite' },
    region: 'us-east-1',
    accountId: '000000000000',
    strictAws: false,
    memoryBudgetMiB: 256,
    workers: availableParallelism(),
    credentials: [],
    functions: {},
    clusters: {},
    secrets: {},
    mskBrokers: 'vpc',
    allowSaslPlaintext: false,
    refusedAddresses: [],
    allowMetadataAddresses: false,
    groupProtocol: 'auto',
    groupSessionMs: 45_000,
    groupInstanceId: '',
    clientRack: '',
    destinationDir: join(cwd, '.millrace', 'destinations'),
    backoff: { baseMs: 500, capMs: 60_000, throttleCapMs: 15_000 },
    maxFilters: 5,
    logLevel: 'info',
    graceMs: 30_000,
    baseDir: cwd
  })
  assert.equal(file, undefined)
  assert.deepEqual(warnings, [])
})

test('reads every part of the file', async () => {
  const { config, cwd } = await load(`
listen: 0.0.0.0:8080
adminListen: "[::1]:0"
dataDir: state
store: sqlite
region: eu-west-1
accountId: "012345678901"
strictAws: true
memoryBudgetMiB: 512
workers: 3
groupProtocol: classic
groupSessionSeconds: 20
groupInstanceId: node-1
clientRack: eu-west-1a
destinationDir: failures
retryBaseMs: 100
maxFilters: 10
logLevel: debug
graceSeconds: 5
credentials:
  - { accessKeyId: millrace, secretAccessKey: "s3cret" }
  - { accessKeyId: watcher, secretAccessKey: "other", access: read }
functions:
  orders: { http: "http://127.0.0.1:9000/orders", timeoutSeconds: 60, headers: { authorization: Bearer x } }
  resize: { handler: ./functions/resize.handler, concurrency: 4, environment: { TABLE: t, PORT: 80, ON: true } }
clusters:
  "arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1":
    plaintext: [ "127.0.0.1:9092", "[::1]:9093" ]
    tls: []
    saslScram: [ "b-1.example.com:9096" ]
    rootCa: certs/ca.pem
secrets:
  "arn:aws:secretsmanager:us-east-1:000000000000:secret:AmazonMSK_demo-AbCdEf": { file: ./scram.json }
  "arn:aws:secretsmanager:us-east-1:000000000000:secret:client": { environment: CLIENT_CERTIFICATE }
mskBrokers: public
allowSaslPlaintext: true
refusedAddresses: [ 10.0.0.0/8, "fd00::/8" ]
allowMetadataAddresses: true
`)
  const { functions, clusters, secrets, ...rest } = config
  assert.deepEqual(rest, {
    listen: { host: '0.0.0.0', port: 8080 },
    adminListen: { host: '::1', port: 0 },
    dataDir: join(cwd, 'state'),
    store: { kind: 'sqlite' },
    region: 'eu-west-1',
    accountId: '012345678901',
    strictAws: true,
    memoryBudgetMiB: 512,
    workers: 3,
    credentials: [
      { accessKeyId: 'millrace', secretAccessKey: 's3cret', access: 'write' },
      { accessKeyId: 'watcher', secretAccessKey: 'other', access: 'read' }
    ],
    mskBrokers: 'public',
    allowSaslPlaintext: true,
    refusedAddresses: ['10.0.0.0/8', 'fd00::/8'],
    allowMetadataAddresses: true,
    groupProtocol: 'classic',
    groupSessionMs: 20_000,
    groupInstanceId: 'node-1',
    clientRack: 'eu-west-1a',
    destinationDir: join(cwd, 'failures'),
    backoff: { baseMs: 100, capMs: 60_000, throttleCapMs: 15_000 },
    maxFilters: 10,
    logLevel: 'debug',
    graceMs: 5_000,
    baseDir: cwd
  })
  assert.deepEqual(structuredClone(functions), {
    orders: {
      kind: 'http',
      url: 'http://127.0.0.1:9000/orders',
      timeoutSeconds: 60,
      headers: { authorization: 'Bearer x' }
    },
    resize: {
      kind: 'handler',
      handler: './functions/resize.handler',
      timeoutSeconds: 30,
      concurrency: 4,
      environment: { TABLE: 't', PORT: '80', ON: 'true' },
      memoryMiB: 128,
      reload: false
    }
  })
  assert.deepEqual(structuredClone(clusters), {
    'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1': {
      plaintext: ['127.0.0.1:9092', '[::1]:9093'],
      saslScram: ['b-1.example.com:9096'],
      rootCa: join(cwd, 'certs/ca.pem')
    }
  })
  assert.deepEqual(structuredClone(secrets), {
    'arn:aws:secretsmanager:us-east-1:000000000000:secret:AmazonMSK_demo-AbCdEf': {
      kind: 'file',
      path: join(cwd, 'scram.json')
    },
    'arn:aws:secretsmanager:us-east-1:000000000000:secret:client': {
      kind: 'environment',
      variable: 'CLIENT_CERTIFICATE'
    }
  })
})

test('flags win over the environment, the environment over the file', async () => {
  const inputs = {
    env: {
      MILLRACE_LISTEN: '127.0.0.1:2',
      MILLRACE_WORKERS: '2',
      MILLRACE_STRICT_AWS: '1',
      AWS_DEFAULT_REGION: 'eu-west-3'
    },
    flags: { listen: '127.0.0.1:3' }
  }
  const { config, given } = await load('listen: 127.0.0.1:1\nworkers: 1\nlogLevel: warn', inputs)
  assert.equal(config.listen.port, 3)
  assert.equal(config.workers, 2)
  assert.equal(config.logLevel, 'warn')
  assert.equal(config.strictAws, true)
  assert.equal(config.region, 'eu-west-3')
  assert.deepEqual(given.listen.source, { kind: 'flag', flag: '--listen' })
  assert.deepEqual(given.workers.source, { kind: 'environment', variable: 'MILLRACE_WORKERS' })
  assert.deepEqual(given.logLevel.source, { kind: 'file', file: 'millrace.yaml', line: 3 })
  assert.deepEqual(given.accountId.source, { kind: 'default' })
})

test('AWS_REGION wins over AWS_DEFAULT_REGION, and an empty variable counts as not set', async () => {
  assert.equal(
    (await load('', { env: { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' } })).config.region,
    'eu-west-1'
  )
  assert.equal(
    (await load('', { env: { AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-2' } })).config.region,
    'eu-west-2'
  )
  assert.equal((await load('', { env: { MILLRACE_CONFIG: '' } })).file, 'millrace.yaml')
})

test('a key without a value counts as absent', async () => {
  const { config } = await load(
    'listen:\nfunctions:\n  # orders: { http: "http://127.0.0.1:9000" }\ncredentials:\nclusters:\nsecrets:\n'
  )
  assert.equal(config.listen.port, 4577)
  assert.deepEqual(Object.keys(config.functions), [])
})

test('no function goes by the name of something every object has', async () => {
  const { config } = await load('functions: { orders: { http: "http://127.0.0.1:9000" } }')
  assert.equal(config.functions['constructor'], undefined)
})

test('reads the file that is named, and paths in it start from where it lies', async () => {
  await using elsewhere = await setup('dataDir: data\nfunctions: { f: { handler: ./f.handler } }')
  const configFile = join(elsewhere.cwd, 'millrace.yaml')
  for (const inputs of [{ configFile }, { env: { MILLRACE_CONFIG: configFile } }]) {
    const { config } = await load('listen: nonsense', inputs)
    assert.equal(config.baseDir, elsewhere.cwd)
    assert.equal(config.dataDir, join(elsewhere.cwd, 'data'))
  }
})

test('a data directory from a flag starts from the working directory, not from the file', async () => {
  await using elsewhere = await setup('dataDir: data')
  const { config, cwd } = await load('', {
    configFile: join(elsewhere.cwd, 'millrace.yaml'),
    flags: { dataDir: 'mine' }
  })
  assert.equal(config.dataDir, join(cwd, 'mine'))
})

test('a misspelt variable is warned of, somebody else’s is not', async () => {
  const { warnings } = await load('', { env: { MILLRACE_LISTN: 'x', MILLRACE_COLOUR_OF_SKY: 'blue', PATH: '/bin' } })
  assert.deepEqual(warnings, ['Environment variable MILLRACE_LISTN is not read. Did you mean MILLRACE_LISTEN?'])
})
