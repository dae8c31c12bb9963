import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { absent, FieldReader, givenAt, keysOf, readMap, refuseUnknownKeys } from './field-reader.ts'
import { credentialFields, credentialVariables, type Field } from './fields.ts'
import type { ConfigFile } from './file.ts'
import type { Credential } from './shape.ts'
import { kindOf, readValue, valueError } from './value.ts'

/** Keys of `millrace.yaml` that hold more than one value. */
export const sectionKeys = ['credentials', 'functions', 'clusters', 'secrets', 'mappings'] as const

export function readCredentials(file: ConfigFile): readonly Credential[] {
  const list = file.content['credentials']
  if (absent(list)) return []
  if (!Array.isArray(list))
    throw valueError(givenAt(file, ['credentials'], list), 'a list of access keys', kindOf(list))
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
