import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig, type ConfigInputs } from '../../src/app/config.ts'
import { nearest } from '../../src/app/config/nearest.ts'
import { printConfig } from '../../src/app/config/print.ts'
import { MillraceError, type ErrorCode } from '../../src/core/errors.ts'

/** A working directory with `millrace.yaml`, unless `yaml` is undefined. */
async function setup(yaml?: string, inputs: Partial<ConfigInputs> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-config-'))
  if (yaml !== undefined) await writeFile(join(cwd, 'millrace.yaml'), yaml)
  return {
    cwd,
    load: () => loadConfig({ cwd, env: {}, ...inputs }),
    [Symbol.asyncDispose]: () => rm(cwd, { recursive: true })
  }
}

async function load(yaml?: string, inputs: Partial<ConfigInputs> = {}) {
  await using world = await setup(yaml, inputs)
  return { ...(await world.load()), cwd: world.cwd }
}

async function refuses(yaml: string | undefined, code: ErrorCode, message: string, inputs: Partial<ConfigInputs> = {}) {
  await using world = await setup(yaml, inputs)
  await assert.rejects(world.load(), (error: unknown) => {
    assert.ok(error instanceof MillraceError, String(error))
    assert.equal(error.message, message)
    assert.equal(error.code, code)
    return true
  })
}

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

test('a named file that does not exist is an error, a directory another', async () => {
  await refuses(undefined, 'MILL_CONFIG_FILE_MISSING', 'Configuration file other.yaml does not exist.', {
    configFile: 'other.yaml'
  })
  await refuses(undefined, 'MILL_CONFIG_UNREADABLE', 'Configuration file . cannot be read: it is a directory', {
    env: { MILLRACE_CONFIG: '.' }
  })
})

test('a file that is no YAML, or not keys, says where', async () => {
  await refuses(
    'listen: [1',
    'MILL_CONFIG_UNREADABLE',
    'Configuration file millrace.yaml cannot be read: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 11'
  )
  await refuses(
    'listen: 127.0.0.1:1\nlisten: 127.0.0.1:2',
    'MILL_CONFIG_UNREADABLE',
    'Configuration file millrace.yaml cannot be read: Map keys must be unique at line 2, column 1'
  )
  await refuses(
    '- listen',
    'MILL_CONFIG_UNREADABLE',
    'Configuration file millrace.yaml cannot be read: its top level must be keys, got a list'
  )
})

test('an unknown key is refused by name, with the nearest that is known', async () => {
  const unknown = (yaml: string, message: string) => refuses(yaml, 'MILL_CONFIG_KEY_UNKNOWN', message)
  await unknown('lisen: 127.0.0.1:1', 'Unknown key lisen in millrace.yaml. Did you mean listen?')
  await unknown('strict_aws: true', 'Unknown key strict_aws in millrace.yaml. Did you mean strictAws?')
  await unknown(
    'functions: { orders: { http: "http://localhost", timeout: 4 } }',
    'Unknown key functions.orders.timeout in millrace.yaml. Known keys: http, timeoutSeconds, headers, caFile, certFile, keyFile, http2, compress, concurrency.'
  )
  await unknown(
    'functions: { orders: { htpp: "http://localhost" } }',
    'Unknown key functions.orders.htpp in millrace.yaml. Did you mean http?'
  )
  await unknown(
    'credentials: [ { accessKeyID: a, secretAccessKey: b } ]',
    'Unknown key credentials[0].accessKeyID in millrace.yaml. Did you mean accessKeyId?'
  )
  await unknown(
    'clusters: { "arn:aws:kafka:us-east-1:000000000000:cluster/a/b-1": { plain: [] } }',
    'Unknown key clusters.arn:aws:kafka:us-east-1:000000000000:cluster/a/b-1.plain in millrace.yaml. Known keys: plaintext, tls, saslScram, saslIam, rootCa.'
  )
})

test('a value that cannot be used is named, with what would do and where it came from', async () => {
  const value = (yaml: string, message: string, inputs = {}) => refuses(yaml, 'MILL_CONFIG_VALUE', message, inputs)
  await value(
    '# address\nlisten: 4577',
    'listen must be HOST:PORT such as 127.0.0.1:4577, with a port from 0 to 65535, got 4577 (from millrace.yaml, line 2).'
  )
  await value(
    '',
    'adminListen must be HOST:PORT such as 127.0.0.1:4577, with a port from 0 to 65535, got "localhost:70000" (from environment variable MILLRACE_ADMIN_LISTEN).',
    {
      env: { MILLRACE_ADMIN_LISTEN: 'localhost:70000' }
    }
  )
  await value('', 'graceSeconds must be a whole number from 0 to 900, got "1.5" (from flag --grace).', {
    flags: { graceSeconds: '1.5' }
  })
  await value(
    '',
    'workers must be auto or a whole number from 1 to 256, got "0" (from environment variable MILLRACE_WORKERS).',
    {
      env: { MILLRACE_WORKERS: '0' }
    }
  )
  await value(
    'memoryBudgetMiB: lots',
    'memoryBudgetMiB must be a whole number from 16 to 1048576, got "lots" (from millrace.yaml, line 1).'
  )
  await value(
    'groupProtocol: kip848',
    'groupProtocol must be auto, classic or consumer, got "kip848" (from millrace.yaml, line 1).'
  )
  await value(
    'groupInstanceId: node 1',
    'groupInstanceId must be none or a name of at most 200 letters, digits, ".", "_" and "-", got "node 1" (from millrace.yaml, line 1).'
  )
  await value('strictAws: perhaps', 'strictAws must be true or false, got "perhaps" (from millrace.yaml, line 1).')
  await value(
    'logLevel: loud',
    'logLevel must be debug, info, warn, error or silent, got "loud" (from millrace.yaml, line 1).'
  )
  await value(
    'accountId: 000000000001',
    'accountId must be twelve digits in quotes, got 1 (from millrace.yaml, line 1).'
  )
  await value(
    'region: home',
    'region must be an AWS region such as us-east-1, got "home" (from millrace.yaml, line 1).'
  )
  await value('store: redis', 'store must be sqlite, got "redis" (from millrace.yaml, line 1).')
  await value('dataDir: ""', 'dataDir must be a path, got "" (from millrace.yaml, line 1).')
  await value(
    'adminListen: 127.0.0.1:4577',
    'adminListen must be another address than that of the other listener, got 127.0.0.1:4577 (from millrace.yaml, line 1).'
  )
})

test('a function that cannot be used is named', async () => {
  const value = (yaml: string, message: string) => refuses(yaml, 'MILL_CONFIG_VALUE', message)
  await value(
    'functions: [ orders ]',
    'functions must be names with functions, got a list (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: "http://localhost" }',
    'functions.orders must be a function with one of http, handler, command and lambda, got a text (from millrace.yaml, line 1).'
  )
  await value(
    'functions:\n  orders: { timeoutSeconds: 3 }',
    'functions.orders must be a function with one of http, handler, command and lambda, got none of them (from millrace.yaml, line 2).'
  )
  await value(
    'functions: { orders: { http: "http://localhost", handler: a.b } }',
    'functions.orders must be a function with one of http, handler, command and lambda, got http and handler (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { "or ders": { http: "http://localhost" } }',
    'The name of a function must be letters, digits, - and _ (at most 64), got "or ders" (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: { http: "ftp://host/?key=hidden" } }',
    'functions.orders.http must be an absolute http or https URL such as http://127.0.0.1:9000/orders, got "ftp://host/" (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: { http: "http://me:hidden@host/" } }',
    'functions.orders.http must be a URL without user and password, got "http://***@host/" (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: { handler: "./orders" } }',
    'functions.orders.handler must be FILE.EXPORT such as ./functions/orders.handler, got "./orders" (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: { handler: a.b, environment: { SECRET: [ hidden ] } } }',
    'functions.orders.environment.SECRET must be a text in quotes, got a list (from millrace.yaml, line 1).'
  )
  await value(
    'functions: { orders: { handler: a.b, timeoutSeconds: 901 } }',
    'functions.orders.timeoutSeconds must be a whole number from 1 to 900, got 901 (from millrace.yaml, line 1).'
  )
})

test('credentials and clusters that cannot be used are named, and no secret is shown', async () => {
  const value = (yaml: string, message: string) => refuses(yaml, 'MILL_CONFIG_VALUE', message)
  await value(
    'credentials: [ { accessKeyId: a, secretAccessKey: 12345 } ]',
    'credentials[0].secretAccessKey must be a text in quotes that is not empty, got a number (from millrace.yaml, line 1).'
  )
  await value(
    'credentials: [ { secretAccessKey: x } ]',
    'credentials[0].accessKeyId must be letters, digits and _ (at most 128), got nothing (from millrace.yaml).'
  )
  await value(
    'credentials:\n - { accessKeyId: a, secretAccessKey: x }\n - { accessKeyId: a, secretAccessKey: y }',
    'credentials[1].accessKeyId must be a key of its own (it stands above already), got "a" (from millrace.yaml, line 3).'
  )
  await value(
    'credentials: [ { accessKeyId: a, secretAccessKey: x, access: admin } ]',
    'credentials[0].access must be read or write, got "admin" (from millrace.yaml, line 1).'
  )
  await value(
    'clusters: { local: { plaintext: [ "a:1" ] } }',
    'The key of a cluster must be an MSK ARN such as arn:aws:kafka:us-east-1:000000000000:cluster/NAME/UUID, got "local" (from millrace.yaml, line 1).'
  )
  const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/a/b-1'
  await value(
    `clusters: { "${arn}": { plaintext: [ "localhost" ] } }`,
    `clusters.${arn}.plaintext[0] must be HOST:PORT such as 127.0.0.1:9092, got "localhost" (from millrace.yaml, line 1).`
  )
  await value(
    `clusters: { "${arn}": { plaintext: [] } }`,
    `clusters.${arn} must be a list of at least one HOST:PORT under plaintext, tls, saslScram, saslIam, got none (from millrace.yaml, line 1).`
  )
  await value(
    'secrets: { mine: { file: b } }',
    'The key of a secret must be the ARN of a secret such as arn:aws:secretsmanager:us-east-1:000000000000:secret:NAME, got "mine" (from millrace.yaml, line 1).'
  )
  const secret = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:s'
  const where = `secrets.${secret} must be where the secret is: either file or environment, got`
  await value(`secrets: { "${secret}": {} }`, `${where} neither (from millrace.yaml, line 1).`)
  await value(`secrets: { "${secret}": { file: a, environment: B } }`, `${where} both (from millrace.yaml, line 1).`)
  await value(`secrets: { "${secret}": hidden }`, `${where} a text (from millrace.yaml, line 1).`)
  await value(
    `secrets: { "${secret}": { environment: "not a name" } }`,
    `secrets.${secret}.environment must be the name of an environment variable, got "not a name" (from millrace.yaml, line 1).`
  )
})

test('what is not built yet is refused by name, not ignored', async () => {
  const later = (yaml: string, message: string) => refuses(yaml, 'MILL_CONFIG_NOT_BUILT', message)
  await later(
    'store: postgres://me:hidden@host/db',
    'store: postgres is not built yet: use sqlite (from millrace.yaml, line 1).'
  )
})

test('a misspelt variable is warned of, somebody else’s is not', async () => {
  const { warnings } = await load('', { env: { MILLRACE_LISTN: 'x', MILLRACE_COLOUR_OF_SKY: 'blue', PATH: '/bin' } })
  assert.deepEqual(warnings, ['Environment variable MILLRACE_LISTN is not read. Did you mean MILLRACE_LISTEN?'])
})

test('suggests only words that are close', () => {
  const known = ['listen', 'adminListen', 'dataDir', 'workers']
  assert.equal(nearest('LISTEN', known), 'listen')
  assert.equal(nearest('lsiten', known), 'listen')
  assert.equal(nearest('datadirs', known), 'dataDir')
  assert.equal(nearest('colour', known), undefined)
  assert.equal(nearest('anything', []), undefined)
})

const printable = `
listen: 127.0.0.1:1
credentials: [ { accessKeyId: key, secretAccessKey: hidden-1 } ]
functions:
  orders: { http: "http://127.0.0.1:9000/orders?code=hidden-2&a=b", headers: { authorization: hidden-3 } }
  resize: { handler: ./resize.handler, environment: { DATABASE: hidden-4 } }
`

test('prints what is in force and where it came from, without secrets', async () => {
  const loaded = await load(printable, {
    env: { MILLRACE_WORKERS: '2', MILLRACE_STRICT_AWS: '1' },
    flags: { logLevel: 'warn' }
  })
  const text = await printConfig(loaded, 'text')
  assert.match(text, /^listen: 127\.0\.0\.1:1 +# millrace\.yaml, line 2$/m)
  assert.match(text, /^workers: 2 +# environment variable MILLRACE_WORKERS$/m)
  assert.match(text, /^strictAws: true +# environment variable MILLRACE_STRICT_AWS$/m)
  assert.match(text, /^logLevel: warn +# flag --log-level$/m)
  assert.match(text, /^region: us-east-1 +# default$/m)
  assert.match(text, /^credentials: +# millrace\.yaml$/m)
  assert.doesNotMatch(text, /hidden/)
})

test('prints JSON for programs, without secrets', async () => {
  const loaded = await load(printable)
  const text = await printConfig(loaded, 'json')
  const printed = JSON.parse(text) as Record<string, { value: unknown; from: string }>
  assert.deepEqual(printed['listen'], { value: '127.0.0.1:1', from: 'millrace.yaml, line 2' })
  assert.deepEqual(printed['workers'], { value: availableParallelism(), from: 'default: auto' })
  assert.deepEqual(printed['credentials']?.value, [{ accessKeyId: 'key', secretAccessKey: '****', access: 'write' }])
  assert.doesNotMatch(text, /hidden/)
})

test('what it prints is a configuration that means the same', async () => {
  const yaml = 'listen: 127.0.0.1:1\nstrictAws: true\nfunctions: { orders: { handler: ./a.b } }'
  const first = await load(yaml, { env: { MILLRACE_ACCOUNT_ID: '012345678901' } })
  const text = await printConfig(first, 'text')
  const second = await load(text)
  assert.deepEqual({ ...second.config, baseDir: '' }, { ...first.config, baseDir: '' })
  assert.equal((parse(text) as { accountId: unknown }).accountId, '012345678901')
})

test('an access key may come from the environment, beside those of the file or in place of one', async () => {
  const env = {
    MILLRACE_ACCESS_KEY_ID: 'ci',
    MILLRACE_SECRET_ACCESS_KEY: 'hidden-5',
    MILLRACE_SESSION_TOKEN: 'hidden-6'
  }
  const ofEnvironment = { accessKeyId: 'ci', secretAccessKey: 'hidden-5', sessionToken: 'hidden-6', access: 'write' }
  assert.deepEqual((await load('', { env })).config.credentials, [ofEnvironment])
  const yaml = 'credentials: [ { accessKeyId: ci, secretAccessKey: x }, { accessKeyId: a, secretAccessKey: y } ]'
  const loaded = await load(yaml, { env: { ...env, MILLRACE_ACCESS: 'read' } })
  const kept = { accessKeyId: 'a', secretAccessKey: 'y', access: 'write' }
  assert.deepEqual(loaded.config.credentials, [kept, { ...ofEnvironment, access: 'read' }])
  const text = await printConfig(loaded, 'text')
  assert.match(text, /^credentials: +# millrace\.yaml, environment$/m)
  assert.doesNotMatch(text, /hidden/)
})

test('half an access key in the environment is refused, and not shown', async () => {
  await assert.rejects(load('', { env: { MILLRACE_SECRET_ACCESS_KEY: 'hidden' } }), {
    message:
      'MILLRACE_ACCESS_KEY_ID must be letters, digits and _ (at most 128), got nothing (from environment variable MILLRACE_ACCESS_KEY_ID).'
  })
  await assert.rejects(load('', { env: { MILLRACE_ACCESS_KEY_ID: 'a' } }), {
    message:
      'MILLRACE_SECRET_ACCESS_KEY must be a text in quotes that is not empty, got nothing (from environment variable MILLRACE_SECRET_ACCESS_KEY).'
  })
})

test('the secret of an access key may lie in a file of its own', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-secret-'))
  const file = join(directory, 'key')
  await writeFile(file, 's3cret\n')
  const one = (fields: string) => load(`credentials: [ { accessKeyId: a, ${fields} } ]`)
  const { config } = await one(`secretAccessKeyFile: ${file}, sessionToken: t`)
  assert.deepEqual(config.credentials, [
    { accessKeyId: 'a', secretAccessKey: 's3cret', access: 'write', sessionToken: 't' }
  ])
  await assert.rejects(one(`secretAccessKeyFile: ${file}, secretAccessKey: x`), /left out beside secretAccessKey/)
  await assert.rejects(one(`secretAccessKeyFile: ${file}-none`), /must be a file that can be read, got ENOENT/)
  await writeFile(file, '\n')
  await assert.rejects(one(`secretAccessKeyFile: ${file}`), /must be a file that holds the secret, got an empty one/)
  await rm(directory, { recursive: true })
})
