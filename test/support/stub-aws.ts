import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

export interface StubCall {
  /** `x-amz-target`'s last part, the query protocol's Action, or method and path. */
  readonly operation: string
  /** Of the signature. */
  readonly accessKeyId: string
  readonly region: string
  readonly sessionToken: string | undefined
  readonly body: string
}

export interface StubAnswer {
  readonly status?: number
  readonly type?: string
  readonly body: string | Readonly<Record<string, unknown>>
}

/** An AWS endpoint that answers as it is told; the environment of the process leads the SDK to it until the test ends. */
export class StubAws {
  readonly calls: StubCall[] = []
  answer: (call: StubCall) => StubAnswer | Promise<StubAnswer> = () => ({ status: 404, body: {} })
  readonly #server = createServer((request, response) => {
    void this.#read(request)
      .then(call => this.answer(call))
      .then(({ status = 200, type, body }) => {
        response.writeHead(status, {
          'content-type': typeof body === 'string' ? 'text/xml' : 'application/json',
          ...(type === undefined ? {} : { 'x-amzn-errortype': type })
        })
        response.end(typeof body === 'string' ? body : JSON.stringify(body))
      })
  })

  static async start(t: TestContext, keys: Readonly<Record<string, string>> = testKeys): Promise<StubAws> {
    const stub = new StubAws()
    await new Promise<void>(resolve => stub.#server.listen(0, '127.0.0.1', resolve))
    const { port } = stub.#server.address() as AddressInfo
    withEnvironment(t, { ...keys, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` })
    t.after(
      () =>
        new Promise(resolve => {
          stub.#server.closeAllConnections()
          stub.#server.close(resolve)
        })
    )
    return stub
  }

  /** Names of what was asked, in order. */
  get operations(): string[] {
    return this.calls.map(({ operation }) => operation)
  }

  async #read(request: IncomingMessage): Promise<StubCall> {
    const body = await text(request)
    const target = request.headers['x-amz-target']
    const action = new URLSearchParams(body).get('Action')
    const [, accessKeyId = '', region = ''] =
      /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? '') ?? []
    const call: StubCall = {
      operation:
        typeof target === 'string'
          ? (target.split('.').at(-1) ?? '')
          : (action ?? `${request.method} ${decodeURIComponent(request.url ?? '')}`),
      accessKeyId,
      region,
      sessionToken: request.headers['x-amz-security-token'] as string | undefined,
      body
    }
    this.calls.push(call)
    return call
  }
}

export const testKeys = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'secret-of-the-test' }
/** Nothing of the machine's own may be found: no keys, no profile, no metadata service. */
const nobody: Readonly<Record<string, string>> = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_CONFIG_FILE: '/nonexistent/config'
}

/** AWS's variables are these and no others until the test ends. */
export function withEnvironment(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  Object.assign(process.env, nobody, variables)
  t.after(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  })
}

/** A port of this machine that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
