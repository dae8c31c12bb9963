import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Answer, Input, LambdaCaller } from '../e2e/clients/client-contract.ts'
import { ApiError, type ApiAccess } from './mapping-api.ts'

interface Told {
  readonly answer?: Answer
  readonly code?: string
  readonly message?: string
}

/** A process that makes calls of AWS Lambda by an SDK of its language, one after the other: test/fixtures/clients. */
export class LineClient implements LambdaCaller {
  readonly #command: () => readonly string[]
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined
  #lines: AsyncIterator<string> | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** `command` is asked when the first call is made. */
  constructor(command: () => readonly string[]) {
    this.#command = command
  }

  call(access: ApiAccess, operation: string, input: Input): Promise<Answer> {
    return this.#next({ ...access, operation, input })
  }

  async listAll(access: ApiAccess, input: Input, pageSize: number): Promise<readonly Answer[]> {
    const all = await this.#next({ ...access, operation: 'ListEventSourceMappings', input, pageSize })
    return (all as { EventSourceMappings: Answer[] }).EventSourceMappings
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    child.stdin.end()
    await once(child, 'exit')
  }

  async #next(call: object): Promise<Answer> {
    const asked = this.#last.then(() => this.#ask(call))
    this.#last = asked.catch(() => undefined)
    const { answer = {}, code, message } = await asked
    if (code !== undefined) throw new ApiError(code, message ?? '')
    return answer
  }

  async #ask(call: object): Promise<Told> {
    this.#child ??= this.#start()
    this.#lines ??= createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    this.#child.stdin.write(`${JSON.stringify(call)}\n`)
    const line = await this.#lines.next()
    if (line.done) throw new Error(`${this.#command().join(' ')} ended`)
    return JSON.parse(line.value) as Told
  }

  #start(): ChildProcessByStdio<Writable, Readable, null> {
    const [program = '', ...args] = this.#command()
    const { PATH, HOME } = process.env
    // Nothing of the machine's own configuration.
    const env = { PATH, HOME, AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
    return spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  }
}
