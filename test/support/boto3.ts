import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { LineClient } from './line-client.ts'

const program = 'test/fixtures/clients/boto3_calls.py'

let found: string | undefined

/** A Python that has boto3: the one that is named in MILLRACE_TEST_PYTHON, `python3`, or that of the AWS CLI. */
function python(): string | undefined {
  found ??= [process.env['MILLRACE_TEST_PYTHON'], 'python3', ...interpreters('aws')].find(
    candidate => candidate !== undefined && spawnSync(candidate, ['-c', 'import boto3']).status === 0
  )
  return found
}

/** What runs the scripts of this name on the PATH. */
function interpreters(script: string): string[] {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map(folder => join(folder, script))
    .filter(file => existsSync(file))
    .flatMap(
      file => /^#!\s*(\S*python\S*)\s*$/m.exec(readFileSync(file).subarray(0, 200).toString('latin1'))?.[1] ?? []
    )
}

/** Registers a test that needs boto3. Where it is missing the test is skipped by name, and under `CI=true` it fails. */
export function boto3Test(name: string, body: (t: TestContext) => Promise<void>): void {
  const reason = python() === undefined ? "no Python with boto3 here: 'pip install boto3' would bring it" : undefined
  if (reason === undefined) test(name, body)
  else if (process.env['CI'] === 'true') test(name, () => assert.fail(reason))
  else test(name, { skip: reason }, () => undefined)
}

/** Makes its calls with boto3. */
export const boto3 = (): LineClient => new LineClient(() => [python() ?? 'python3', program])
