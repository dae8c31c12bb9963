import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda'
import type { Answer, LambdaCaller } from '../e2e/clients/client-contract.ts'
import { ApiError, type ApiAccess, type MappingApi } from './mapping-api.ts'

const run = promisify(execFile)
const callTimeoutMs = 60_000

/** Registers a test that needs the program `aws`. Where it is missing the test is skipped by name, and under `CI=true` it fails. */
export function awsCliTest(name: string, body: (t: TestContext) => Promise<void>): void {
  const reason = whyMissing()
  if (reason === undefined) test(name, body)
  else if (process.env['CI'] === 'true') test(name, () => assert.fail(reason))
  else test(name, { skip: reason }, () => undefined)
}

function whyMissing(): string | undefined {
  const { error, status } = spawnSync('aws', ['--version'], { timeout: callTimeoutMs })
  if (error === undefined && status === 0) return undefined
  return `no AWS CLI here (${error?.message ?? `'aws --version' ended with ${status}`}): 'pip install awscli' would bring it`
}

/** Version 2 of the program: what MILLRACE_TEST_AWS_2 names, or `aws` where that is one. */
export function awsCli2(): string | undefined {
  return [process.env['MILLRACE_TEST_AWS_2'], 'aws'].find(
    candidate =>
      candidate !== undefined &&
      spawnSync(candidate, ['--version'], { encoding: 'utf8', timeout: callTimeoutMs }).stdout?.startsWith('aws-cli/2')
  )
}

/** Runs `aws lambda ARGS` against the endpoint; resolves with its stdout. What it fails with is an `ApiError`. */
export async function awsLambda(
  { url, accessKeyId, secretAccessKey }: ApiAccess,
  args: readonly string[],
  program = 'aws'
): Promise<string> {
  const { PATH, HOME } = process.env
  // Nothing of the machine's own configuration: no profile, no metadata service, no pager.
  const env = {
    PATH,
    HOME,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
    AWS_PAGER: ''
  }
  try {
    const options = { env, timeout: callTimeoutMs }
    return (await run(program, ['--endpoint-url', url, '--output', 'json', 'lambda', ...args], options)).stdout
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string }
    const [, code = 'none', said = ''] =
      /An error occurred \((\w+)\) when calling the \w+ operation(?: \(reached max retries: \d+\))?: ([^]*)/.exec(
        stderr
      ) ?? []
    throw new ApiError(code, said.trim() || stderr.trim() || message, { cause: error })
  }
}

/** The calls of the program `aws`. */
export function cliApi(access: ApiAccess): MappingApi {
  const mapping = async (command: string, input: object) =>
    JSON.parse(await awsLambda(access, [command, ...flags(input)])) as EventSourceMappingConfiguration
  return {
    create: input => mapping('create-event-source-mapping', input),
    get: UUID => mapping('get-event-source-mapping', { UUID }),
    list: async input => {
      const out = await awsLambda(access, ['list-event-source-mappings', ...flags(input)])
      return (JSON.parse(out) as { EventSourceMappings: EventSourceMappingConfiguration[] }).EventSourceMappings
    },
    update: input => mapping('update-event-source-mapping', input),
    delete: UUID => mapping('delete-event-source-mapping', { UUID })
  }
}

const dashed = (operation: string): string => operation.replaceAll(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase()

/** Any call of the program `aws`; `program`: another of that kind. */
export const cliCaller = (program = 'aws'): LambdaCaller => ({
  async call(access, operation, input) {
    const out = await awsLambda(access, [dashed(operation), '--cli-input-json', JSON.stringify(input)], program)
    // It prints nothing where AWS answers nothing.
    return (out.trim() === '' ? {} : JSON.parse(out)) as Answer
  },
  async listAll(access, input, pageSize) {
    const json = ['--cli-input-json', JSON.stringify(input), '--page-size', String(pageSize)]
    const out = await awsLambda(access, ['list-event-source-mappings', ...json], program)
    return (JSON.parse(out) as { EventSourceMappings: Answer[] }).EventSourceMappings
  }
})

/** Members as people type them: `--batch-size 10`, `--no-enabled`, what has a structure as JSON. */
function flags(input: object): string[] {
  return Object.entries(input).flatMap(([name, value]: [string, unknown]) => {
    const flag = name.replaceAll(/(?<=[a-z])[A-Z]/g, letter => `-${letter}`).toLowerCase()
    if (typeof value === 'boolean') return [value ? `--${flag}` : `--no-${flag}`]
    return [`--${flag}`, typeof value === 'string' ? value : JSON.stringify(value)]
  })
}
