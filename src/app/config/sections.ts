import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import {
  clusterFields,
  credentialFields,
  credentialVariables,
  functionFields,
  type Field,
  type Fields
} from './fields.ts'
import type { ConfigFile } from './file.ts'
import { nearest } from './nearest.ts'
import type { ClusterConfig, Credential, FunctionConfig } from './shape.ts'
import type { Given } from './source.ts'
import { notBuilt, readValue, record, valueError } from './value.ts'

/** Keys of `millrace.yaml` that hold more than one value. */
export const sectionKeys = ['credentials', 'functions', 'clusters', 'secrets'] as const

type Path = readonly (string | number)[]

/** What stands in the file under `path`, whose last key goes by `name` in errors. */
const givenAt = (file: ConfigFile, path: Path, value: unknown): Given => ({
  name: path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`),
    ''
  ),
  value,
  source: file.source(path)
})

/** A key without a value (`functions:` with everything below commented out) counts as absent. */
const absent = (value: unknown): value is null | undefined => value === null || value === undefined

/** Refuses the first key that is not known, naming the nearest that is. */
export function refuseUnknownKeys(
  file: ConfigFile,
  path: Path,
  keys: Iterable<string>,
  known: readonly string[]
): void {
  for (const key of keys) {
    if (known.includes(key)) continue
    const suggestion = nearest(key, known)
    const advice = suggestion === undefined ? `. Known keys: ${known.join(', ')}.` : `. Did you mean ${suggestion}?`
    throw new MillraceError('MILL_CONFIG_KEY_UNKNOWN', [
      givenAt(file, [...path, key], undefined).name,
      file.name,
      advice
    ])
  }
}

/** Keys and values under `path`. */
function readMap(file: ConfigFile, path: Path, value: unknown, wanted: string): [string, unknown][] {
  if (absent(value)) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw valueError(givenAt(file, path, value), wanted)
  return Object.entries(value)
}

/** Reads fields by name out of one map, each checked by its row of the table. */
class FieldReader<F extends Fields> {
  readonly #file: ConfigFile
  readonly #path: Path
  readonly #values: ReadonlyMap<string, unknown>
  readonly #fields: F

  constructor(file: ConfigFile, path: Path, entries: readonly [string, unknown][], fields: F) {
    this.#file = file
    this.#path = path
    this.#values = new Map(entries)
    this.#fields = fields
  }

  given(key: keyof F & string): Given {
    return givenAt(this.#file, [...this.#path, key], this.#values.get(key))
  }

  read<K extends keyof F & string>(key: K): ReturnType<typeof readValue<F[K]['type']>> {
    const field: Field = this.#fields[key]!
    const given = this.given(key)
    // The row's own default is of the row's own type, so it passes the same check.
    const value = absent(given.value) ? field.default : given.value
    return readValue<F[K]['type']>(field.type, { ...given, value })
  }

  /** For fields without a default that may be missing. */
  readOr<K extends keyof F & string, D>(key: K, otherwise: D): ReturnType<typeof readValue<F[K]['type']>> | D {
    return absent(this.#values.get(key)) ? otherwise : this.read(key)
  }
}

export function readCredentials(file: ConfigFile): readonly Credential[] {
  const list = file.content['credentials']
  if (absent(list)) return []
  if (!Array.isArray(list)) throw valueError(givenAt(file, ['credentials'], list), 'a list of access keys')
  const seen = new Set<string>()
  return list.map((entry: unknown, at) => {
    const path = ['credentials', at]
    const entries = readMap(file, path, entry, 'an access key with accessKeyId and secretAccessKey')
    refuseUnknownKeys(file, path, keysOf(entries), Object.keys(credentialFields))
    const fields = new FieldReader(file, path, entries, credentialFields)
    const accessKeyId = fields.read('accessKeyId')
    if (seen.has(accessKeyId))
      throw valueError(fields.given('accessKeyId'), 'a key of its own (it stands above already)')
    seen.add(accessKeyId)
    const sessionToken = fields.readOr('sessionToken', undefined)
    const credential: Credential = {
      accessKeyId,
      secretAccessKey: readSecret(file, fields),
      access: fields.read('access') === 'read' ? 'read' : 'write'
    }
    return sessionToken === undefined ? credential : Object.assign(credential, { sessionToken })
  })
}

/** The secret of an access key: written here, or in a file of its own. */
function readSecret(file: ConfigFile, fields: FieldReader<typeof credentialFields>): string {
  const named = fields.readOr('secretAccessKeyFile', undefined)
  if (named === undefined) return fields.read('secretAccessKey')
  const given = fields.given('secretAccessKeyFile')
  if (fields.readOr('secretAccessKey', undefined) !== undefined)
    throw valueError(given, 'left out beside secretAccessKey', 'both')
  let text: string
  try {
    text = readFileSync(resolve(file.directory, named), 'utf8')
  } catch (error) {
    throw valueError(given, 'a file that can be read', (error as NodeJS.ErrnoException).code)
  }
  const secret = text.replace(/\r?\n$/, '')
  if (secret === '') throw valueError(given, 'a file that holds the secret', 'an empty one')
  return secret
}

/** The access key that the environment gives, whole or not at all. */
export function readEnvironmentCredential(env: Readonly<Record<string, string | undefined>>): Credential | undefined {
  const names = Object.values(credentialVariables)
  if (names.every(name => !env[name])) return undefined
  const read = <K extends keyof typeof credentialVariables>(key: K) => {
    const variable = credentialVariables[key]
    const source = { kind: 'environment', variable } as const
    const field: Field = credentialFields[key]
    const given = { name: variable, value: env[variable] || field.default, source }
    return readValue<(typeof credentialFields)[K]['type']>(credentialFields[key].type, given)
  }
  return {
    accessKeyId: read('accessKeyId'),
    secretAccessKey: read('secretAccessKey'),
    access: read('access') === 'read' ? 'read' : 'write',
    ...(env[credentialVariables.sessionToken] ? { sessionToken: read('sessionToken') } : {})
  }
}

const functionName = /^[\w-]{1,64}$/
const functionWanted = 'a function with either http or handler'
/** Kinds of `surface` that this version refuses by name rather than calls unknown. */
const laterKinds = ['command', 'lambda'] as const

export function readFunctions(file: ConfigFile): Readonly<Record<string, FunctionConfig>> {
  const entries = readMap(file, ['functions'], file.content['functions'], 'names with functions')
  return record(entries.map(([name, value]) => [name, readFunction(file, name, value)]))
}

function readFunction(file: ConfigFile, name: string, value: unknown): FunctionConfig {
  const path = ['functions', name]
  const given = givenAt(file, path, value)
  if (!functionName.test(name)) {
    throw valueError({ ...given, value: name, name: 'The name of a function' }, 'letters, digits, - and _ (at most 64)')
  }
  const entries = readMap(file, path, value, functionWanted)
  const later = laterKinds.find(kind => keysOf(entries).includes(kind))
  if (later !== undefined) {
    throw notBuilt(
      givenAt(file, [...path, later], value),
      'use http for an HTTP endpoint or handler for a Node function'
    )
  }
  const kinds = (['http', 'handler'] as const).filter(kind => keysOf(entries).includes(kind))
  const [kind] = kinds
  if (kind === undefined) {
    const near = keysOf(entries).find(key => nearest(key, ['http', 'handler']) !== undefined)
    if (near !== undefined) refuseUnknownKeys(file, path, [near], ['http', 'handler'])
    throw valueError(given, functionWanted, 'neither')
  }
  if (kinds.length > 1) throw valueError(given, functionWanted, 'both')
  refuseUnknownKeys(file, path, keysOf(entries), Object.keys(functionFields[kind]))
  return kind === 'http' ? readHttpFunction(file, path, entries) : readHandlerFunction(file, path, entries)
}

function readHttpFunction(file: ConfigFile, path: Path, entries: [string, unknown][]): FunctionConfig {
  const fields = new FieldReader(file, path, entries, functionFields.http)
  return {
    kind: 'http',
    url: fields.read('http'),
    timeoutSeconds: fields.read('timeoutSeconds'),
    headers: fields.readOr('headers', record<string>([]))
  }
}

function readHandlerFunction(file: ConfigFile, path: Path, entries: [string, unknown][]): FunctionConfig {
  const fields = new FieldReader(file, path, entries, functionFields.handler)
  return {
    kind: 'handler',
    handler: fields.read('handler'),
    timeoutSeconds: fields.read('timeoutSeconds'),
    concurrency: fields.read('concurrency'),
    environment: fields.readOr('environment', record<string>([])),
    memoryMiB: fields.read('memoryMiB')
  }
}

const clusterArn = /^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[^/]{1,64}\/[^/]+$/
const clusterArnText = 'an MSK ARN such as arn:aws:kafka:us-east-1:000000000000:cluster/NAME/UUID'
const laterListeners = ['tls', 'saslScram', 'saslIam'] as const

export function readClusters(file: ConfigFile): Readonly<Record<string, ClusterConfig>> {
  const entries = readMap(file, ['clusters'], file.content['clusters'], 'MSK ARNs with brokers')
  return record(entries.map(([arn, value]) => [arn, readCluster(file, arn, value)]))
}

function readCluster(file: ConfigFile, arn: string, value: unknown): ClusterConfig {
  const path = ['clusters', arn]
  if (!clusterArn.test(arn)) {
    throw valueError({ ...givenAt(file, path, arn), name: 'The key of a cluster' }, clusterArnText)
  }
  const entries = readMap(file, path, value, 'brokers by the way they are reached (plaintext)')
  refuseUnknownKeys(file, path, keysOf(entries), [...Object.keys(clusterFields), ...laterListeners])
  for (const [key, brokers] of entries) {
    const later = laterListeners.some(listener => listener === key)
    if (later && !empty(brokers))
      throw notBuilt(givenAt(file, [...path, key], brokers), 'use plaintext, and leave it empty')
  }
  const fields = new FieldReader(file, path, entries, clusterFields)
  const plaintext = fields.read('plaintext')
  if (plaintext.length === 0) throw valueError(fields.given('plaintext'), 'a list of at least one HOST:PORT', 'none')
  return { plaintext }
}

/** Secrets are of no use before TLS and SASL are: refused rather than ignored. */
export function refuseSecrets(file: ConfigFile): void {
  const secrets = file.content['secrets']
  if (!empty(secrets)) throw notBuilt(givenAt(file, ['secrets'], secrets), 'leave it empty')
}

const empty = (value: unknown): boolean =>
  absent(value) || (typeof value === 'object' && Object.keys(value).length === 0)

const keysOf = (entries: readonly [string, unknown][]): string[] => entries.map(([key]) => key)
