import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { LambdaClientConfig } from '@aws-sdk/client-lambda'
import { MillraceError } from '../../core/errors.ts'
import { credentialVariables } from '../config/fields.ts'
import { options } from '../config/options.ts'
import { keptCredential } from '../credentials.ts'
import type { Io } from '../io.ts'

type World = Pick<Io, 'env' | 'cwd'>

/** With which key the API is called. */
export interface Caller {
  readonly config: Pick<LambdaClientConfig, 'credentials' | 'profile'>
  /** Ends a sentence such as "signed with …". */
  readonly told: string
}

/**
 * The key to sign with. Strongest first: the data directory that a flag names, access keys in the environment (the one that
 * the server is given there before AWS's), a profile named in the environment, the key in the data directory, AWS's own files. Of these the data directory comes before AWS's
 * files because those, when nobody named a profile, hold keys for AWS itself.
 * Rejects with `MILL_CREDENTIALS` or `MILL_CREDENTIALS_MISSING`.
 */
export async function findCaller(dataDirFlag: string | undefined, { env, cwd }: World): Promise<Caller> {
  const dataDir = resolve(cwd, dataDirFlag ?? (env['MILLRACE_DATA_DIR'] || options.dataDir.default))
  if (dataDirFlag !== undefined) return (await fromDataDir(dataDir)) ?? missing(dataDir)
  const own = fromEnvironment(env, credentialVariables) ?? fromEnvironment(env, awsVariables)
  if (own !== undefined) return own
  const profile = env['AWS_PROFILE']
  if (profile) return { config: { profile }, told: `the profile ${profile}` }
  const kept = await fromDataDir(dataDir)
  if (kept !== undefined) return kept
  if (await hasSharedFiles(env)) return { config: {}, told: 'the default profile of AWS’s own files' }
  return missing(dataDir)
}

const awsVariables = {
  accessKeyId: 'AWS_ACCESS_KEY_ID',
  secretAccessKey: 'AWS_SECRET_ACCESS_KEY',
  sessionToken: 'AWS_SESSION_TOKEN'
} as const

function fromEnvironment(
  env: World['env'],
  names: Readonly<Record<keyof typeof awsVariables, string>>
): Caller | undefined {
  const accessKeyId = env[names.accessKeyId]
  const secretAccessKey = env[names.secretAccessKey]
  const sessionToken = env[names.sessionToken]
  if (!accessKeyId || !secretAccessKey) return undefined
  return {
    config: { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } },
    told: `access key ${accessKeyId} of the environment`
  }
}

async function fromDataDir(dataDir: string): Promise<Caller | undefined> {
  const kept = await keptCredential(dataDir)
  if (kept === undefined) return undefined
  const { accessKeyId, secretAccessKey } = kept.credential
  return {
    config: { credentials: { accessKeyId, secretAccessKey } },
    told: `access key ${accessKeyId} of ${kept.file}`
  }
}

// Asked for before the SDK is: where there are no files, it goes on to ask the network, and waits for an answer.
async function hasSharedFiles(env: World['env']): Promise<boolean> {
  const home = join(env['HOME'] || homedir(), '.aws')
  const files = [
    env['AWS_SHARED_CREDENTIALS_FILE'] || join(home, 'credentials'),
    env['AWS_CONFIG_FILE'] || join(home, 'config')
  ]
  const found = await Promise.all(
    files.map(file =>
      access(file).then(
        () => true,
        () => false
      )
    )
  )
  return found.includes(true)
}

function missing(dataDir: string): never {
  throw new MillraceError('MILL_CREDENTIALS_MISSING', [`${join(dataDir, 'credentials.json')} does not exist`])
}
