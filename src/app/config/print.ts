import type { LoadedConfig } from '../config.ts'
import { optionKeys, type OptionKey } from './options.ts'
import type { CommandFunctionConfig, Config, FunctionConfig, HandlerFunctionConfig } from './shape.ts'
import { sourceText } from './source.ts'
import { addressText } from './value.ts'

const masked = '****'

/** What is in force and where each value came from; secrets masked. The text is YAML that could be a configuration file. */
export async function printConfig(loaded: LoadedConfig, output: 'text' | 'json'): Promise<string> {
  const rows = [...optionRows(loaded), ...sectionRows(loaded)]
  if (output === 'json') {
    return `${JSON.stringify(Object.fromEntries(rows.map(({ key, ...row }) => [key, row])), undefined, 2)}\n`
  }
  const { stringify } = await import('yaml')
  return rows.map(({ key, value, from }) => withComment(stringify({ [key]: value }, { lineWidth: 0 }), from)).join('')
}

interface Row {
  readonly key: string
  readonly value: unknown
  readonly from: string
}

function optionRows({ config, given }: LoadedConfig): Row[] {
  const inForce: Readonly<Record<OptionKey, unknown>> = {
    ...config,
    listen: addressText(config.listen),
    adminListen: addressText(config.adminListen),
    store: config.store.kind,
    refusedAddresses: config.refusedAddresses.length === 0 ? 'none' : config.refusedAddresses,
    groupSessionSeconds: config.groupSessionMs / 1000,
    groupInstanceId: config.groupInstanceId || 'none',
    clientRack: config.clientRack || 'none',
    unknownFunctions: config.unknownFunctions ?? 'refuse',
    retryBaseMs: config.backoff.baseMs,
    retryCapMs: config.backoff.capMs,
    throttleCapMs: config.backoff.throttleCapMs,
    graceSeconds: config.graceMs / 1000
  }
  return optionKeys.map(key => {
    const { value, source } = given[key]
    return { key, value: inForce[key], from: value === 'auto' ? `${sourceText(source)}: auto` : sourceText(source) }
  })
}

function sectionRows({ config, file, fromEnvironment }: LoadedConfig): Row[] {
  const from = (entries: number) => (entries === 0 || file === undefined ? 'default' : file)
  return [
    {
      key: 'credentials',
      value: config.credentials.map(({ sessionToken, ...credential }) => ({
        ...credential,
        secretAccessKey: masked,
        ...(sessionToken === undefined ? {} : { sessionToken: masked })
      })),
      from: fromEnvironment
        ? [...(file !== undefined && config.credentials.length > 1 ? [file] : []), 'environment'].join(', ')
        : from(config.credentials.length)
    },
    {
      key: 'functions',
      value: mapValues(config.functions, maskFunction),
      from: from(Object.keys(config.functions).length)
    },
    {
      key: 'clusters',
      value: mapValues(config.clusters, cluster => cluster),
      from: from(Object.keys(config.clusters).length)
    },
    {
      key: 'secrets',
      value: mapValues(config.secrets, secret =>
        secret.kind === 'file' ? { file: secret.path } : { environment: secret.variable }
      ),
      from: from(Object.keys(config.secrets).length)
    }
  ]
}

/** As `millrace.yaml` writes it. Any header, variable or query value may be a secret, whatever its name. */
function maskFunction(fn: Config['functions'][string]): Readonly<Record<string, unknown>> {
  switch (fn.kind) {
    case 'http':
      return {
        http: maskUrl(fn.url),
        timeoutSeconds: fn.timeoutSeconds,
        headers: mapValues(fn.headers, () => masked),
        ...fn.tls,
        http2: fn.http2 ?? false,
        compress: fn.compress ?? 'none',
        ...(fn.concurrency === undefined ? {} : { concurrency: fn.concurrency })
      }
    case 'lambda':
      return {
        lambda: fn.lambda,
        ...(fn.endpoint === undefined ? {} : { endpoint: maskUrl(fn.endpoint) }),
        timeoutSeconds: fn.timeoutSeconds,
        ...fn.role,
        signed: fn.signed,
        ...(fn.concurrency === undefined ? {} : { concurrency: fn.concurrency })
      }
    case 'handler':
      return { handler: fn.handler, ...(fn.runtime === undefined ? {} : { runtime: fn.runtime }), ...localFields(fn) }
    case 'command':
      return { command: fn.command, handler: fn.handler, ...localFields(fn) }
    default:
      throw new Error(`unknown function ${(fn satisfies never as FunctionConfig).kind}`)
  }
}

function localFields(fn: HandlerFunctionConfig | CommandFunctionConfig): Readonly<Record<string, unknown>> {
  return {
    ...(fn.directory === undefined ? {} : { directory: fn.directory }),
    timeoutSeconds: fn.timeoutSeconds,
    concurrency: fn.concurrency,
    environment: mapValues(fn.environment, () => masked),
    memoryMiB: fn.memoryMiB,
    reload: fn.reload
  }
}

export function maskUrl(href: string): string {
  return href.replace(/([?&][^=&#]*=)[^&#]*/g, `$1${masked}`)
}

const mapValues = <V, R>(values: Readonly<Record<string, V>>, map: (value: V) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]))

/** Puts where a value came from behind its first line. */
function withComment(yaml: string, from: string): string {
  const end = yaml.indexOf('\n')
  return `${yaml.slice(0, end).padEnd(40)} # ${from}${yaml.slice(end)}`
}
