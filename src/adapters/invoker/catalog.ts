import { MillraceError } from '../../core/errors.ts'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import type {
  AssumedRole,
  FunctionCatalog,
  FunctionEntry,
  FunctionFacts,
  FunctionTarget,
  HttpTarget,
  LambdaTarget,
  TlsFiles
} from '../../ports/functions.ts'
import { CallPermits } from './call-permits.ts'
import { hostOf } from './http.ts'
import { lambdaEndpoint } from './lambda-endpoint.ts'

/** A function behind an HTTP endpoint. */
export interface HttpFunction {
  readonly kind: 'http'
  /** Absolute http or https URL. */
  readonly url: string
  readonly timeoutSeconds: number
  readonly headers: Readonly<Record<string, string>>
  /** Absolute paths. */
  readonly tls?: TlsFiles
  readonly http2?: boolean
  readonly compress?: 'gzip'
  /** Most calls at a time, over all pollers. */
  readonly concurrency?: number
}

/** A function at AWS Lambda, or at anything that speaks its Invoke. */
export interface LambdaFunction {
  readonly kind: 'lambda'
  /** Name or ARN, with or without a qualifier. */
  readonly lambda: string
  /** Absolute URL; absent: the environment's, else AWS's of the region. */
  readonly endpoint?: string
  readonly timeoutSeconds: number
  readonly signed: boolean
  readonly role?: AssumedRole
  /** Most calls at a time, over all pollers. */
  readonly concurrency?: number
}

/** A handler or program that the function host runs. */
export interface HandlerFunction {
  readonly kind: 'handler' | 'command'
  readonly timeoutSeconds: number
}

/** Asks AWS Lambda what a function is. */
export type Inspect = (target: LambdaTarget, qualifier: string | undefined) => Promise<FunctionFacts>

export interface ConfiguredFunctionsOptions {
  /** By bare name. */
  readonly functions: Readonly<Record<string, HttpFunction | LambdaFunction | HandlerFunction>>
  /** Knows where local functions are called; started before anyone asks. */
  readonly host: { target(name: string): HttpTarget }
  readonly region: string
  readonly accountId: string
  /** Absent: functions at AWS Lambda are taken as the configuration has them. */
  readonly inspect?: Inspect
  /** All names that are not among `functions` are those of functions at AWS Lambda. */
  readonly othersAtLambda?: boolean
  /** In place of AWS's own. */
  readonly lambdaEndpoint?: string
}

/** The longest that AWS lets a function run. */
const longestMs = 900_000
/** What is taken for a function's timeout until AWS says what it is: the most that a Kafka mapping's may be. */
const assumedSeconds = 840
/** Beyond the function's own time, so that AWS is the one to end it: for a cold start and the way. */
const patienceMs = 60_000
/** The account of those who have none: nothing of it is at AWS. */
const noAccount = '000000000000'

/**
 * The functions of the configuration and, where that is wanted, those at AWS Lambda under all other names. Throws
 * `MILL_CONFIG_VALUE` or `MILL_CONSTRAINT` for one that could never be called.
 */
export class ConfiguredFunctions implements FunctionCatalog {
  readonly #options: ConfiguredFunctionsOptions
  readonly #byName = new Map<string, FunctionEntry>()
  readonly #byArn = new Map<string, FunctionEntry>()

  constructor(options: ConfiguredFunctionsOptions) {
    this.#options = options
    for (const [name, fn] of Object.entries(options.functions)) {
      const entry = fn.kind === 'lambda' ? this.#lambdaEntry(name, fn) : this.#entry(name, fn)
      this.#byName.set(name, entry)
      // Two names of one function: the ARN is the first's.
      if (!this.#byArn.has(entry.arn)) this.#byArn.set(entry.arn, entry)
    }
  }

  find(name: string, arn?: string): FunctionEntry | undefined {
    const own = this.#byName.get(name)
    if (arn === undefined || arn === this.#homeArn(name)) return own ?? this.#elsewhere(name, undefined)
    return this.#byArn.get(arn) ?? (own?.arn === arn ? own : this.#elsewhere(name, arn))
  }

  list(): readonly FunctionEntry[] {
    return [...this.#byName.values()]
  }

  #homeArn(name: string): string {
    return parseFunctionName(name, this.#options).arn
  }

  #entry(name: string, fn: HttpFunction | HandlerFunction): FunctionEntry {
    if (fn.kind === 'http') checkHttp(name, fn)
    const { host } = this.#options
    const { kind, timeoutSeconds } = fn
    const http = fn.kind === 'http' ? httpTarget(fn) : undefined
    return {
      name,
      arn: this.#homeArn(name),
      kind,
      timeoutSeconds,
      // Asked when used: a host that was started again listens elsewhere.
      get target(): FunctionTarget {
        return http ?? host.target(name)
      }
    }
  }

  #lambdaEntry(name: string, fn: LambdaFunction): FunctionEntry {
    const { arn, name: functionName, isLocated, qualifier } = parseFunctionName(fn.lambda, this.#options)
    return this.#atLambda(
      { name, arn: isLocated ? arn : this.#homeArn(name), timeoutSeconds: fn.timeoutSeconds },
      {
        functionName: isLocated ? arn : functionName,
        ...this.#place(arn, fn.endpoint),
        timeoutMs: fn.timeoutSeconds * 1_000 + patienceMs,
        signed: fn.signed,
        ...(qualifier === undefined ? {} : { qualifier }),
        ...(fn.role === undefined ? {} : { role: fn.role }),
        ...permits(fn)
      }
    )
  }

  /** `arn`: of another account or region than ours. */
  #elsewhere(name: string, arn: string | undefined): FunctionEntry | undefined {
    if (this.#options.othersAtLambda !== true || arn?.split(':')[4] === noAccount) return undefined
    const home = this.#homeArn(name)
    const described = { name, arn: arn ?? home, timeoutSeconds: assumedSeconds }
    const timeoutMs = longestMs + patienceMs
    return this.#atLambda(described, {
      functionName: arn ?? name,
      ...this.#place(arn ?? home, undefined),
      timeoutMs,
      signed: true
    })
  }

  #place(arn: string, own: string | undefined): Pick<LambdaTarget, 'region' | 'endpoint'> {
    const [, partition = '', , region = ''] = arn.split(':')
    return { region, endpoint: own ?? this.#options.lambdaEndpoint ?? lambdaEndpoint(partition, region) }
  }

  #atLambda(
    described: Pick<FunctionEntry, 'name' | 'arn' | 'timeoutSeconds'>,
    to: Omit<LambdaTarget, 'kind'>
  ): FunctionEntry {
    const { inspect } = this.#options
    const target: LambdaTarget = { kind: 'lambda', ...to }
    // An emulator that takes unsigned calls knows nothing but Invoke.
    const asks = inspect !== undefined && target.signed
    return {
      ...described,
      kind: 'lambda',
      target,
      ...(asks
        ? {
            inspect: (qualifier, role) =>
              inspect({ ...(role === undefined ? {} : { role }), ...target }, qualifier ?? target.qualifier)
          }
        : {})
    }
  }
}

function httpTarget(fn: HttpFunction): HttpTarget {
  const { url, headers, timeoutSeconds, tls, http2, compress } = fn
  return {
    kind: 'http',
    url,
    headers,
    timeoutMs: timeoutSeconds * 1_000,
    ...(tls === undefined ? {} : { tls }),
    ...(http2 === undefined ? {} : { http2 }),
    ...(compress === undefined ? {} : { compress }),
    ...permits(fn)
  }
}

const permits = ({ concurrency }: { readonly concurrency?: number }): { readonly permits?: SharedArrayBuffer } =>
  concurrency === undefined ? {} : { permits: CallPermits.memory(concurrency) }

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
