import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { printConfig } from '../../../src/app/config/print.ts'
import { load } from './config-world.ts'

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
