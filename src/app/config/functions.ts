import { resolve } from 'node:path'
import { readTlsFiles } from '../../adapters/invoker/tls-files.ts'
import type { TlsFiles } from '../../ports/functions.ts'
import { FieldReader, givenAt, keysOf, readMap, refuseUnknownKeys, type Path } from './field-reader.ts'
import { functionFields } from './fields.ts'
import type { ConfigFile } from './file.ts'
import { nearest } from './nearest.ts'
import type { FunctionConfig } from './shape.ts'
import { record, valueError } from './value.ts'

const functionName = /^[\w-]{1,64}$/
const kinds = ['http', 'handler', 'command', 'lambda'] as const
const functionWanted = 'a function with one of http, handler, command and lambda'

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
  const keys = keysOf(entries)
  // A command may say what its handler is called.
  const [kind, other] = kinds.filter(each => keys.includes(each) && !(each === 'handler' && keys.includes('command')))
  if (kind === undefined) {
    const near = keys.find(key => nearest(key, kinds) !== undefined)
    if (near !== undefined) refuseUnknownKeys(file, path, [near], kinds)
    throw valueError(given, functionWanted, 'none of them')
  }
  if (other !== undefined) throw valueError(given, functionWanted, `${kind} and ${other}`)
  refuseUnknownKeys(file, path, keys, Object.keys(functionFields[kind]))
  return readers[kind](file, path, entries)
}

type Reader = (file: ConfigFile, path: Path, entries: [string, unknown][]) => FunctionConfig

const readers: Readonly<Record<(typeof kinds)[number], Reader>> = {
  http(file, path, entries) {
    const fields = new FieldReader(file, path, entries, functionFields.http)
    const url = fields.read('http')
    const tls = readTls(file, fields, url)
    const http2 = fields.read('http2')
    if (http2 && !isHttps(url)) throw valueError(fields.given('http2'), 'left out: it needs an https URL')
    const concurrency = fields.readOr('concurrency', undefined)
    return {
      kind: 'http',
      url,
      timeoutSeconds: fields.read('timeoutSeconds'),
      headers: fields.readOr('headers', record<string>([])),
      ...(tls === undefined ? {} : { tls }),
      ...(http2 ? { http2 } : {}),
      ...(fields.read('compress') === 'gzip' ? { compress: 'gzip' } : {}),
      ...(concurrency === undefined ? {} : { concurrency })
    }
  },
  handler(file, path, entries) {
    const fields = new FieldReader(file, path, entries, functionFields.handler)
    const runtime = fields.read('runtime')
    return {
      kind: 'handler',
      handler: fields.read('handler'),
      ...(runtime === 'node' || runtime === 'python' ? { runtime } : {}),
      ...directoryOf(file, fields.readOr('directory', undefined)),
      timeoutSeconds: fields.read('timeoutSeconds'),
      concurrency: fields.read('concurrency'),
      environment: fields.readOr('environment', record<string>([])),
      memoryMiB: fields.read('memoryMiB'),
      reload: fields.read('reload')
    }
  },
  command(file, path, entries) {
    const fields = new FieldReader(file, path, entries, functionFields.command)
    return {
      kind: 'command',
      command: fields.read('command'),
      handler: fields.read('handler'),
      ...directoryOf(file, fields.readOr('directory', undefined)),
      timeoutSeconds: fields.read('timeoutSeconds'),
      concurrency: fields.read('concurrency'),
      environment: fields.readOr('environment', record<string>([])),
      memoryMiB: fields.read('memoryMiB'),
      reload: fields.read('reload')
    }
  },
  lambda(file, path, entries) {
    const fields = new FieldReader(file, path, entries, functionFields.lambda)
    const endpoint = fields.readOr('endpoint', undefined)
    const roleArn = fields.readOr('roleArn', undefined)
    const externalId = fields.readOr('externalId', undefined)
    const signed = fields.read('signed')
    // The Runtime Interface Emulator, which is what knows no credentials, ends at a second call beside the first.
    const concurrency = fields.readOr('concurrency', signed ? undefined : 1)
    if (externalId !== undefined && roleArn === undefined)
      throw valueError(fields.given('externalId'), 'left out where no roleArn is assumed')
    if (!signed && endpoint === undefined)
      throw valueError(fields.given('signed'), 'true where no endpoint is named: AWS takes no unsigned calls')
    if (!signed && roleArn !== undefined) throw valueError(fields.given('signed'), 'true where a roleArn is assumed')
    return {
      kind: 'lambda',
      lambda: fields.read('lambda'),
      timeoutSeconds: fields.read('timeoutSeconds'),
      signed,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(roleArn === undefined ? {} : { role: { roleArn, ...(externalId === undefined ? {} : { externalId }) } }),
      ...(concurrency === undefined ? {} : { concurrency })
    }
  }
}

const directoryOf = (file: ConfigFile, directory: string | undefined): { readonly directory?: string } =>
  directory === undefined ? {} : { directory: resolve(file.directory, directory) }

const tlsKeys = ['caFile', 'certFile', 'keyFile'] as const

/** The files are tried out here, so that a misspelt path is an error of the configuration and not of every call. */
function readTls(file: ConfigFile, fields: FieldReader<typeof functionFields.http>, url: string): TlsFiles | undefined {
  const named = tlsKeys.flatMap(key => {
    const path = fields.readOr(key, undefined)
    return path === undefined ? [] : [[key, resolve(file.directory, path)] as const]
  })
  const [first] = named
  if (first === undefined) return undefined
  if (!isHttps(url)) throw valueError(fields.given(first[0]), 'left out: it needs an https URL')
  const files: TlsFiles = Object.fromEntries(named)
  if (files.certFile === undefined && files.keyFile !== undefined)
    throw valueError(fields.given('keyFile'), 'beside a certFile', 'it alone')
  if (files.certFile !== undefined && files.keyFile === undefined)
    throw valueError(fields.given('certFile'), 'beside a keyFile', 'it alone')
  try {
    readTlsFiles(files)
  } catch (error) {
    const message = (error as Error).message
    const blamed = tlsKeys.find(key => message.startsWith(key)) ?? first[0]
    throw valueError(fields.given(blamed), 'a file in PEM that fits', message)
  }
  return files
}

const isHttps = (url: string): boolean => url.startsWith('https:')
