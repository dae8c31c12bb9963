import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { LambdaClientConfig } from '@aws-sdk/client-lambda'
import { MillraceError } from '../../core/errors.ts'
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
 * The key to sign with. Strongest first: the data directory that a flag names, access keys in the environment, a profile
 * named in the environment, the key in the data directory, AWS's own files. Of these the data directory comes before AWS's
 * files because those, when nobody named a profile, hold keys for AWS itself.
 * Rejects with `MILL_CREDENTIALS` or `MILL_CREDENTIALS_MISSING`.
 */
export async function findCaller(dataDirFlag: string | undefined, { env, cwd }: World): Promise<Caller> {
  const dataDir = resolve(cwd, dataDirFlag ?? (env['MILLRACE_DATA_DIR'] || options.dataDir.default))
  if (dataDirFlag !== undefined) return (await fromDataDir(dataDir)) ?? missing(dataDir)
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
  if (accessKeyId && secretAccessKey) {
    return {
      config: { credentials: { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) } },
      told: `access key ${accessKeyId} of the environment`
    }
  }
  const profile = env['AWS_PROFILE']
  if (profile) return { config: { profile }, told: `the profile ${profile}` }
  const kept = await fromDataDir(dataDir)
  if (kept !== undefined) return kept
  if (await hasSharedFiles(env)) return { config: {}, told: 'the default profile of AWS’s own files' }
  return missing(dataDir)
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
