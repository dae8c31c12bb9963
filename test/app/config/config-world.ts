import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type ConfigInputs } from '../../../src/app/config.ts'
import { MillraceError, type ErrorCode } from '../../../src/core/errors.ts'

/** A working directory with `millrace.yaml`, unless `yaml` is undefined. */
export async function setup(yaml?: string, inputs: Partial<ConfigInputs> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-config-'))
  if (yaml !== undefined) await writeFile(join(cwd, 'millrace.yaml'), yaml)
  return {
    cwd,
    load: () => loadConfig({ cwd, env: {}, ...inputs }),
    [Symbol.asyncDispose]: () => rm(cwd, { recursive: true })
  }
}

/** What that directory holds, loaded. */
export async function load(yaml?: string, inputs: Partial<ConfigInputs> = {}) {
  await using world = await setup(yaml, inputs)
  return { ...(await world.load()), cwd: world.cwd }
}

/** The configuration is refused with exactly this code and message. */
export async function refuses(
  yaml: string | undefined,
  code: ErrorCode,
  message: string,
  inputs: Partial<ConfigInputs> = {}
) {
  await using world = await setup(yaml, inputs)
  await assert.rejects(world.load(), (error: unknown) => {
    assert.ok(error instanceof MillraceError, String(error))
    assert.equal(error.message, message)
    assert.equal(error.code, code)
    return true
  })
}
