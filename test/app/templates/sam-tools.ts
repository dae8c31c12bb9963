import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { home } from './fixtures.ts'
import type { Fixture } from './fixtures.ts'

const program = 'test/fixtures/templates/sam_translate.py'

let found: string | undefined

/** A Python with SAM's translator and cfn-lint: that of MILLRACE_TEST_SAM_PYTHON, `python3`, or that of `cfn-lint` on the PATH. */
function python(): string | undefined {
  found ??= [process.env['MILLRACE_TEST_SAM_PYTHON'], 'python3', ...interpreters()].find(
    candidate =>
      candidate !== undefined && spawnSync(candidate, ['-c', 'import samtranslator, cfnlint'], { env }).status === 0
  )
  return found
}

const { PATH, HOME } = process.env
// Nothing of the machine's own configuration.
const env = { PATH, HOME, AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }

function interpreters(): string[] {
  return (PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, 'cfn-lint'))
    .filter(file => existsSync(file))
    .flatMap(
      file => /^#!\s*(\S*python\S*)\s*$/m.exec(readFileSync(file).subarray(0, 200).toString('latin1'))?.[1] ?? []
    )
}

/** Registers a test that needs SAM's tools. Where they are missing it is skipped by name, and under `CI=true` it fails. */
export function samTest(name: string, body: (t: TestContext) => void): void {
  const reason =
    python() === undefined ? "no Python with SAM's tools here: 'pip install aws-sam-translator cfn-lint'" : undefined
  if (reason === undefined) test(name, body)
  else if (process.env['CI'] === 'true') test(name, () => assert.fail(reason))
  else test(name, { skip: reason }, () => undefined)
}

/** The CloudFormation template, as JSON, that SAM's translator makes of a SAM template. */
export function translate({ file, options }: Fixture): string {
  const input = JSON.stringify({
    template: readFileSync(file, 'utf8'),
    parameters: options.parameters ?? {},
    region: home.region
  })
  const { status, stdout, stderr } = spawnSync(python() ?? '', [program], { env, input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

const runLint = 'import sys; from cfnlint.runner import main; sys.exit(main())'

/** What cfn-lint calls an error in the files. */
export function lint(files: readonly string[]): string {
  const options = ['--regions', home.region, '--format', 'parseable', '--non-zero-exit-code', 'error']
  const { status, stdout, stderr } = spawnSync(python() ?? '', ['-c', runLint, ...options, '--', ...files], {
    env,
    encoding: 'utf8'
  })
  const errors = stdout.split('\n').filter(line => /:E\d{4}:/.test(line))
  return status === 0 ? '' : errors.length > 0 ? errors.join('\n') : `${stdout}${stderr}`
}
