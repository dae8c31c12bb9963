import { test } from 'node:test'
import { refuses } from './config-world.ts'

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
