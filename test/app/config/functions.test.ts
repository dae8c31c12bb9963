import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig, type ConfigInputs } from '../../../src/app/config.ts'
import { hasAwsCredentials } from '../../../src/app/config/aws-environment.ts'
import { printConfig } from '../../../src/app/config/print.ts'
import { lambdaOf } from '../../../src/app/lambda-of.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:orders'

async function setup(yaml: string, env: ConfigInputs['env'] = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-config-'))
  await writeFile(join(cwd, 'millrace.yaml'), yaml)
  await writeFile(join(cwd, 'text.pem'), 'no certificate')
  return { cwd, load: () => loadConfig({ cwd, env }), [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
}

async function load(yaml: string, env: ConfigInputs['env'] = {}) {
  await using world = await setup(yaml, env)
  const loaded = await world.load()
  return loaded
}

test('a function at AWS Lambda needs no more than its ARN', async () => {
  const { config } = await load(`functions: { real: { lambda: "${arn}:live" } }`)
  assert.deepEqual(
    { ...config.functions },
    {
      real: { kind: 'lambda', lambda: `${arn}:live`, timeoutSeconds: 840, signed: true }
    }
  )
})

test('all that can be said of a function at AWS Lambda, and of one over HTTP, is printed as it is written', async () => {
  const loaded = await load(`
functions:
  real: { lambda: orders, endpoint: "http://127.0.0.1:9001/?k=hidden", timeoutSeconds: 60, concurrency: 3,
    roleArn: "arn:aws:iam::123456789012:role/caller", externalId: their-id }
  emulator: { lambda: function, endpoint: "http://127.0.0.1:9000", signed: false }
  shop: { http: "https://shop.example/", http2: true, compress: gzip, concurrency: 7, headers: { x-key: hidden } }
`)
  const { functions } = JSON.parse(await printConfig(loaded, 'json')) as {
    functions: { value: Record<string, unknown> }
  }
  assert.deepEqual(functions.value, {
    real: {
      lambda: 'orders',
      endpoint: 'http://127.0.0.1:9001/?k=****',
      timeoutSeconds: 60,
      roleArn: 'arn:aws:iam::123456789012:role/caller',
      externalId: 'their-id',
      signed: true,
      concurrency: 3
    },
    emulator: {
      lambda: 'function',
      endpoint: 'http://127.0.0.1:9000/',
      timeoutSeconds: 840,
      signed: false,
      concurrency: 1
    },
    shop: {
      http: 'https://shop.example/',
      timeoutSeconds: 30,
      headers: { 'x-key': '****' },
      http2: true,
      compress: 'gzip',
      concurrency: 7
    }
  })
})

test('an emulator without credentials is called by one call at a time, unless the configuration says otherwise', async () => {
  const emulator = (more: string) => `{ lambda: function, endpoint: "http://127.0.0.1:9000", signed: false${more} }`
  const { config } = await load(`functions: { one: ${emulator('')}, more: ${emulator(', concurrency: 3')} }`)
  const concurrency = (name: string) => config.functions[name]?.kind === 'lambda' && config.functions[name].concurrency
  assert.deepEqual([concurrency('one'), concurrency('more')], [1, 3])
})

for (const [title, fn, message] of [
  [
    'what is no function of AWS',
    `lambda: "arn:aws:sqs:eu-west-1:123456789012:q"`,
    /lambda must be a name or an ARN such as/
  ],
  [
    'an external ID for no role',
    `lambda: f, externalId: abc`,
    /externalId must be left out where no roleArn is assumed/
  ],
  ['a role that is none', `lambda: f, roleArn: admin`, /roleArn must be an ARN such as arn:aws:iam::/],
  ['unsigned calls to AWS itself', `lambda: f, signed: false`, /signed must be true where no endpoint is named/],
  [
    'two kinds at once',
    `lambda: f, http: "http://a/"`,
    /must be a function with one of http, handler, command and lambda, got http and lambda/
  ],
  ['headers for AWS', `lambda: f, headers: { a: b }`, /Unknown key functions\.f\.headers in millrace\.yaml/],
  ['HTTP/2 without TLS', `http: "http://a/", http2: true`, /http2 must be left out: it needs an https URL/],
  ['an authority without TLS', `http: "http://a/", caFile: text.pem`, /caFile must be left out: it needs an https URL/],
  [
    'a certificate without its key',
    `http: "https://a/", certFile: text.pem`,
    /certFile must be beside a keyFile, got it alone/
  ],
  [
    'a file that is not there',
    `http: "https://a/", caFile: none.pem`,
    /caFile must be a file in PEM that fits, got caFile cannot be read: ENOENT/
  ],
  [
    'a file that is no certificate',
    `http: "https://a/", caFile: text.pem`,
    /caFile must be a file in PEM that fits, got caFile cannot be used/
  ],
  ['another compression', `http: "http://a/", compress: br`, /compress must be none or gzip, got "br"/],
  ['no calls at all', `http: "http://a/", concurrency: 0`, /concurrency must be a whole number from 1 to 1000, got 0/]
] as const) {
  test(`a function with ${title} is refused by name`, async () => {
    await assert.rejects(load(`functions: { f: { ${fn} } }`), message)
  })
}

for (const [title, env, wanted] of [
  ['access keys', { AWS_ACCESS_KEY_ID: 'A' }, 'lambda'],
  ['a profile', { AWS_PROFILE: 'p' }, 'lambda'],
  ['nothing', {}, undefined],
  ['a region alone', { AWS_REGION: 'eu-west-1' }, undefined],
  ['access keys, and the wish to refuse', { AWS_ACCESS_KEY_ID: 'A', MILLRACE_UNKNOWN_FUNCTIONS: 'refuse' }, undefined],
  ['nothing, and the wish to call', { MILLRACE_UNKNOWN_FUNCTIONS: 'lambda' }, 'lambda']
] as const) {
  test(`in an environment with ${title} unknown functions are ${wanted === undefined ? 'refused' : 'called at AWS Lambda'}`, async () => {
    assert.equal((await load('{}', env)).config.unknownFunctions, wanted)
  })
}

test('files of the AWS CLI count when a profile in them leads to credentials', async () => {
  await using world = await setup('{}')
  const file = join(world.cwd, 'aws')
  const env = { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: join(world.cwd, 'none') }
  assert.equal(hasAwsCredentials(env), false)
  await writeFile(file, '[default]\nregion = eu-west-1\n')
  assert.equal(hasAwsCredentials(env), false)
  await writeFile(file, '[profile a]\nsso_session = s\n')
  assert.equal(hasAwsCredentials(env), true)
})

for (const [endpoint, isAsked] of [
  ['http://127.0.0.1:4577', false],
  ['http://localhost:4577/', false],
  ['http://localhost:4566', true],
  ['https://lambda.eu-west-1.amazonaws.com', true]
] as const) {
  test(`a server on port 4577 asks ${isAsked ? '' : 'not '}what AWS_ENDPOINT_URL names as ${endpoint}`, async () => {
    const { config } = await load('{}', { AWS_ENDPOINT_URL: endpoint, AWS_PROFILE: 'p' })
    const log = new RecordingLog()
    const settings = lambdaOf(config, log)
    assert.deepEqual(settings, isAsked ? { lambdaEndpoint: endpoint, othersAtLambda: true } : {})
    assert.equal(log.lines.length, isAsked ? 0 : 1)
  })
}
