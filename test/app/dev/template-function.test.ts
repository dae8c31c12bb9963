import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runnable } from '../../../src/app/dev/template-function.ts'
import type { TemplateFunction } from '../../../src/app/templates/read-template.ts'

const setup = (more: Partial<TemplateFunction>) =>
  runnable(
    {
      logicalId: 'Orders',
      file: 'template.yaml',
      path: 'Resources.Orders',
      name: 'orders',
      handler: 'app.handler',
      code: { kind: 'folder', path: '/code' },
      timeoutSeconds: 7,
      memoryMiB: 256,
      environment: { A: '1' },
      ...more
    },
    '/inline'
  )

const local = { timeoutSeconds: 7, memoryMiB: 256, environment: { A: '1' }, concurrency: 5, reload: false }

test('Node and Python functions run their handlers in their folder', () => {
  for (const [runtime, by] of [
    ['nodejs22.x', 'node'],
    ['python3.13', 'python']
  ] as const) {
    const config = { ...local, kind: 'handler', directory: '/code', handler: 'app.handler', runtime: by }
    assert.deepEqual(setup({ runtime }), { files: [], config })
  }
})

test('code that stands in the template becomes a file', () => {
  const inline = setup({ runtime: 'nodejs22.x', code: { kind: 'inline', fileName: 'index.js', text: 'x' } })
  assert.equal(inline?.config.kind === 'handler' && inline.config.directory, '/inline/orders')
  assert.deepEqual(inline?.files[0], { path: '/inline/orders/index.js', text: 'x' })
})

test('a custom runtime is its bootstrap, which has to be built', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-dev-'))
  try {
    const code = { kind: 'folder', path: folder } as const
    assert.throws(() => setup({ runtime: 'provided.al2023', code }), {
      code: 'MILL_DEV_FUNCTION',
      message: /has no bootstrap/
    })
    await writeFile(join(folder, 'bootstrap'), '')
    const config = {
      ...local,
      kind: 'command',
      directory: folder,
      handler: 'app.handler',
      command: [join(folder, 'bootstrap')]
    }
    assert.deepEqual(setup({ runtime: 'provided.al2023', code })?.config, config)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('other runtimes are refused with what would do; what runs elsewhere is left alone', () => {
  assert.throws(() => setup({ runtime: 'java21' }), {
    code: 'MILL_DEV_FUNCTION',
    message: /its runtime java21 .* millrace\.yaml/
  })
  assert.equal(setup({ runtime: 'java21', code: { kind: 'elsewhere' } }), undefined)
})
