import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { ApiError, type ApiAccess } from './mapping-api.ts'

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

interface Told {
  readonly answer?: unknown
  readonly code?: string
  readonly message?: string
}

/** A Python process that makes calls with boto3, one after the other. */
export class Boto3 {
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined
  #lines: AsyncIterator<string> | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** The answer of an operation, with times as epoch seconds. With `pageSize` all pages in one. */
  async call(
    access: ApiAccess,
    operation: string,
    input: Readonly<Record<string, unknown>>,
    pageSize?: number
  ): Promise<unknown> {
    const asked = this.#last.then(() => this.#ask({ ...access, operation, input, ...(pageSize ? { pageSize } : {}) }))
    this.#last = asked.catch(() => undefined)
    const { answer, code, message } = await asked
    if (code !== undefined) throw new ApiError(code, message ?? '')
    return answer
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    child.stdin.end()
    await once(child, 'exit')
  }

  async #ask(call: object): Promise<Told> {
    this.#child ??= this.#start()
    this.#lines ??= createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    this.#child.stdin.write(`${JSON.stringify(call)}\n`)
    const line = await this.#lines.next()
    if (line.done) throw new Error('the Python process ended')
    return JSON.parse(line.value) as Told
  }

  #start(): ChildProcessByStdio<Writable, Readable, null> {
    const { PATH, HOME } = process.env
    // Nothing of the machine's own configuration.
    const env = { PATH, HOME, AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
    return spawn(python() ?? 'python3', [program], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  }
}
