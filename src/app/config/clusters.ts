import { resolve } from 'node:path'
import { accessMethods } from '../../core/source/broker-choice.ts'
import { FieldReader, givenAt, keysOf, readMap, refuseUnknownKeys } from './field-reader.ts'
import { clusterFields, secretFields } from './fields.ts'
import type { ConfigFile } from './file.ts'
import type { ClusterConfig, SecretConfig } from './shape.ts'
import { record, valueError } from './value.ts'

const clusterArn = /^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:(cluster|vpc-connection)\/[^/]{1,64}\/[^/]+(\/[^/]+)?$/
const clusterArnText = 'an MSK ARN such as arn:aws:kafka:us-east-1:000000000000:cluster/NAME/UUID'
const secretArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]{1,512}$/
const secretArnText = 'the ARN of a secret such as arn:aws:secretsmanager:us-east-1:000000000000:secret:NAME'

export function readClusters(file: ConfigFile): Readonly<Record<string, ClusterConfig>> {
  const entries = readMap(file, ['clusters'], file.content['clusters'], 'MSK ARNs with brokers')
  return record(entries.map(([arn, value]) => [arn, readCluster(file, arn, value)]))
}

function readCluster(file: ConfigFile, arn: string, value: unknown): ClusterConfig {
  const path = ['clusters', arn]
  const given = givenAt(file, path, value)
  if (!clusterArn.test(arn)) throw valueError({ ...given, value: arn, name: 'The key of a cluster' }, clusterArnText)
  const entries = readMap(file, path, value, `brokers by the way they are reached (${accessMethods.join(', ')})`)
  refuseUnknownKeys(file, path, keysOf(entries), Object.keys(clusterFields))
  const fields = new FieldReader(file, path, entries, clusterFields)
  const brokers = accessMethods.flatMap(method => {
    const servers = fields.readOr(method, [])
    return servers.length === 0 ? [] : [[method, servers] as const]
  })
  if (brokers.length === 0)
    throw valueError(given, `a list of at least one HOST:PORT under ${accessMethods.join(', ')}`, 'none')
  const rootCa = fields.readOr('rootCa', undefined)
  return {
    ...Object.fromEntries(brokers),
    ...(rootCa === undefined ? {} : { rootCa: resolve(file.directory, rootCa) })
  }
}

export function readSecrets(file: ConfigFile): Readonly<Record<string, SecretConfig>> {
  const entries = readMap(file, ['secrets'], file.content['secrets'], 'ARNs of secrets with where they are')
  return record(entries.map(([arn, value]) => [arn, readSecret(file, arn, value)]))
}

const secretWanted = 'where the secret is: either file or environment'

function readSecret(file: ConfigFile, arn: string, value: unknown): SecretConfig {
  const path = ['secrets', arn]
  const given = givenAt(file, path, value)
  if (!secretArn.test(arn)) throw valueError({ ...given, value: arn, name: 'The key of a secret' }, secretArnText)
  // What stands here instead may be the secret itself.
  if (typeof value === 'string') throw valueError(given, secretWanted, 'a text')
  const entries = readMap(file, path, value, secretWanted)
  refuseUnknownKeys(file, path, keysOf(entries), Object.keys(secretFields))
  const fields = new FieldReader(file, path, entries, secretFields)
  const named = fields.readOr('file', undefined)
  const variable = fields.readOr('environment', undefined)
  if (named !== undefined && variable !== undefined) throw valueError(given, secretWanted, 'both')
  if (named !== undefined) return { kind: 'file', path: resolve(file.directory, named) }
  if (variable !== undefined) return { kind: 'environment', variable }
  throw valueError(given, secretWanted, 'neither')
}
