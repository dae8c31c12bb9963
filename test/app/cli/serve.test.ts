import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../../src/app/cli/program.ts'
import { RecordingIo } from '../../support/recording-io.ts'

async function run(args: readonly string[], yaml: string, env: Record<string, string> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-serve-'))
  try {
    await writeFile(join(cwd, 'millrace.yaml'), yaml)
    const io = new RecordingIo({ cwd, env })
    return { code: await runCli(['serve', ...args], io), out: io.out, err: io.err }
  } finally {
    await rm(cwd, { recursive: true })
  }
}

test('--print-config prints the configuration in force on stdout and ends', async () => {
  const { code, out, err } = await run(['--print-config', '--grace', '7'], 'logLevel: warn')
  assert.equal(code, 0)
  assert.match(out, /^logLevel: warn +# millrace\.yaml, line 1$/m)
  assert.match(out, /^graceSeconds: 7 +# flag --grace$/m)
  assert.equal(err, '')
})

test('--print-config --output json is JSON', async () => {
  const { out } = await run(['--print-config', '--output', 'json'], 'logLevel: warn')
  const printed = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual(printed['logLevel'], { value: 'warn', from: 'millrace.yaml, line 1' })
})

test('a configuration that cannot be used ends with exit 2 and one sentence', async () => {
  assert.deepEqual(await run(['--print-config'], 'lisen: x'), {
    code: 2,
    out: '',
    err: 'millrace: Unknown key lisen in millrace.yaml. Did you mean listen? (MILL_CONFIG_KEY_UNKNOWN)\n'
  })
})

test('a misspelt variable is told on stderr', async () => {
  const { err } = await run(['--print-config'], '', { MILLRACE_WORKER: '1' })
  assert.equal(err, 'millrace: Environment variable MILLRACE_WORKER is not read. Did you mean MILLRACE_WORKERS?\n')
})
