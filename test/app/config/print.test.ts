import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { parse } from 'yaml'
import { printConfig } from '../../../src/app/config/print.ts'
import { load } from './config-world.ts'

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
