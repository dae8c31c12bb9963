import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test, type TestContext } from 'node:test'

const program = 'test/fixtures/functions/go'

/** A PATH on which `python3` has awslambdaric: that of the environment named in MILLRACE_TEST_AWSLAMBDARIC, else ours. */
export const pythonPath = [process.env['MILLRACE_TEST_AWSLAMBDARIC'], process.env['PATH']]
  .filter(Boolean)
  .join(delimiter)

/** Why no Python handler can be run here; undefined when one can. */
export function withoutPython(): string | undefined {
  const tried = spawnSync('python3', ['-c', 'import awslambdaric'], { env: { PATH: pythonPath } })
  return tried.status === 0 ? undefined : "no python3 with awslambdaric here: 'pip install awslambdaric' would bring it"
}

/** Why no handler in Python can use Powertools for AWS Lambda here; undefined when one can. */
export function withoutPowertools(): string | undefined {
  const program = 'import awslambdaric; from aws_lambda_powertools.utilities.batch import EventType; EventType.Kafka'
  const tried = spawnSync('python3', ['-c', program], { env: { PATH: pythonPath } })
  if (tried.status === 0) return undefined
  return (
    withoutPython() ??
    "no Powertools for Python that know Kafka here: 'pip install aws-lambda-powertools' would bring them"
  )
}

/** Why no Go program can be built here; undefined when one can. */
export function withoutGo(): string | undefined {
  const tried = spawnSync(go, ['version'], { encoding: 'utf8' })
  return tried.status === 0 ? undefined : 'no Go here: https://go.dev/dl/ has it'
}

const go = process.env['MILLRACE_TEST_GO'] ?? 'go'
const built = new Map<string, string>()

/** The program in Go whose source is in the folder, built once for this process. Default: the function of the tests. */
export function goProgram(source = program): string {
  const known = built.get(source)
  if (known !== undefined) return known
  const directory = mkdtempSync(join(tmpdir(), 'millrace-go-'))
  after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'bootstrap')
  const { status, stderr } = spawnSync(go, ['build', '-o', file, '.'], { cwd: source, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  built.set(source, file)
  return file
}

/** Registers a test that needs what `missing` may name. Then it is skipped by name, and under `CI=true` it fails. */
export function testUnless(missing: string | undefined, name: string, body: (t: TestContext) => Promise<void>): void {
  if (missing === undefined) test(name, body)
  else if (process.env['CI'] === 'true') test(name, () => assert.fail(missing))
  else test(name, { skip: missing }, () => undefined)
}
