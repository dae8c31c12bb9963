import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Service } from '../ports/service.ts'
import { HttpListener } from './http-listener.ts'
import type { ListenAddress } from './http-listener.ts'

export interface Readiness {
  readonly ok: boolean
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[]
}

export interface AdminServerOptions {
  readonly listen: ListenAddress
  readonly ready: () => Promise<Readiness>
  /** Prometheus' text format; without it there is no /metrics. */
  readonly metrics?: () => Promise<string>
}

interface Page {
  readonly status: number
  readonly type: 'application/json' | 'text/plain; version=0.0.4; charset=utf-8'
  readonly text: string
}

const asJson = (status: number, value: object): Page => ({
  status,
  type: 'application/json',
  text: `${JSON.stringify(value)}\n`
})

/** /healthz (the process is up), /readyz (it can do its work), /metrics: for operators, on a loopback address. */
export class AdminServer implements Service {
  readonly #options: AdminServerOptions
  readonly #listener: HttpListener

  constructor(options: AdminServerOptions) {
    this.#options = options
    this.#listener = new HttpListener({
      listen: options.listen,
      setting: 'adminListen',
      answer: (request, response) => void this.#answer(request, response)
    })
  }

  get port(): number {
    return this.#listener.port
  }

  get url(): string {
    return this.#listener.url
  }

  async start(): Promise<void> {
    return this.#listener.start()
  }

  async stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.#listener.stop(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.#listener[Symbol.asyncDispose]()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    let page: Page
    try {
      page = await this.#page(request)
    } catch (error) {
      page = asJson(503, { ok: false, problems: [error instanceof Error ? error.message : String(error)] })
    }
    if (this.#listener.stopping) response.shouldKeepAlive = false
    response.writeHead(page.status, { 'content-type': page.type, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : page.text)
  }

  async #page(request: IncomingMessage): Promise<Page> {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return asJson(405, { message: `Only GET and HEAD here, got ${request.method}.` })
    const path = (request.url ?? '/').split('?')[0]
    if (path === '/healthz') return asJson(200, { ok: true })
    if (path === '/readyz') {
      const readiness = await this.#options.ready()
      return asJson(readiness.ok ? 200 : 503, readiness)
    }
    if (path === '/metrics' && this.#options.metrics !== undefined)
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: await this.#options.metrics() }
    return asJson(404, {
      message: `There is /healthz, /readyz${this.#options.metrics ? ', /metrics' : ''}; not ${path}.`
    })
  }
}
