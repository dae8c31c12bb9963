import { MillraceError } from '../../core/errors.ts'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import type { FunctionCatalog, FunctionEntry, FunctionTarget } from '../../ports/functions.ts'
import { hostOf } from './http.ts'

/** A function behind an HTTP endpoint. */
export interface HttpFunction {
  readonly kind: 'http'
  /** Absolute http or https URL. */
  readonly url: string
  readonly timeoutSeconds: number
  readonly headers: Readonly<Record<string, string>>
}

/** A Node handler that the function host runs. */
export interface HandlerFunction {
  readonly kind: 'handler'
  readonly timeoutSeconds: number
}

export interface ConfiguredFunctionsOptions {
  /** By bare name. */
  readonly functions: Readonly<Record<string, HttpFunction | HandlerFunction>>
  /** Knows where local functions are called; started before anyone asks. */
  readonly host: { target(name: string): FunctionTarget }
  readonly region: string
  readonly accountId: string
}

/** The functions of the configuration. Throws `MILL_CONFIG_VALUE` or `MILL_CONSTRAINT` for one that could never be called. */
export class ConfiguredFunctions implements FunctionCatalog {
  readonly #entries = new Map<string, FunctionEntry>()

  constructor({ functions, host, region, accountId }: ConfiguredFunctionsOptions) {
    for (const [name, fn] of Object.entries(functions)) {
      if (fn.kind === 'http') checkHttp(name, fn)
      const { arn } = parseFunctionName(name, { region, accountId })
      const { kind, timeoutSeconds } = fn
      this.#entries.set(name, {
        name,
        arn,
        kind,
        timeoutSeconds,
        // Asked when used: a host that was started again listens elsewhere.
        get target() {
          return fn.kind === 'http' ? httpTarget(fn) : host.target(name)
        }
      })
    }
  }

  find(name: string): FunctionEntry | undefined {
    return this.#entries.get(name)
  }

  list(): readonly FunctionEntry[] {
    return [...this.#entries.values()]
  }
}

function httpTarget({ url, headers, timeoutSeconds }: HttpFunction): FunctionTarget {
  return { kind: 'http', url, headers, timeoutMs: timeoutSeconds * 1_000 }
}

/** They say how the event is sent, which is not the configuration's to say. */
const framing = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'expect', 'te'])

function checkHttp(name: string, { url, headers }: HttpFunction): void {
  const refuse = (key: string, wanted: string, got: string) =>
    new MillraceError('MILL_CONFIG_VALUE', [`functions.${name}.${key}`, wanted, got, 'the configuration'])
  if (!URL.canParse(url) || !/^https?:\/\//i.test(url) || hostOf(url) === '') {
    throw refuse('http', 'an absolute http or https URL', url)
  }
  for (const [header, value] of Object.entries(headers)) {
    const key = `headers.${header}`
    const lower = header.toLowerCase()
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header)) throw refuse(key, "named by letters, digits and !#$%&'*+-.^_`|~", header)
    if (framing.has(lower)) throw refuse(key, 'left out: how the event is sent is decided by Millrace', 'a value')
    if (lower.startsWith('x-millrace-'))
      throw refuse(key, 'left out: x-millrace- headers are set by Millrace', 'a value')
    // The value may be a secret: it is not shown.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw refuse(key, 'text without line breaks', 'other characters')
  }
}
