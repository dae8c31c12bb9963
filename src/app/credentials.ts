import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MillraceError } from '../core/errors.ts'
import type { Credential } from './config.ts'

export interface OwnCredential {
  readonly credential: Credential
  readonly file: string
  /** It was made just now. */
  readonly made: boolean
}

/**
 * The key that `serve` makes for itself when none is configured: kept in the data directory, readable by its owner alone.
 * Rejects with `MILL_CREDENTIALS` when the file cannot be read or written, or is damaged.
 */
export async function ownCredential(dataDir: string): Promise<OwnCredential> {
  const file = join(dataDir, 'credentials.json')
  const kept = await readKept(file)
  if (kept !== undefined) return { credential: kept, file, made: false }
  const credential: Credential = {
    accessKeyId: `MILLRACE${randomBytes(6).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
    access: 'write'
  }
  try {
    await writeFile(file, `${JSON.stringify(credential, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw new MillraceError('MILL_CREDENTIALS', [file, (error as Error).message], { cause: error })
  }
  return { credential, file, made: true }
}

/** The key that `serve` made in this data directory; undefined when there is none. Rejects with `MILL_CREDENTIALS`. */
export async function keptCredential(dataDir: string): Promise<OwnCredential | undefined> {
  const file = join(dataDir, 'credentials.json')
  const credential = await readKept(file)
  return credential && { credential, file, made: false }
}

async function readKept(file: string): Promise<Credential | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MillraceError('MILL_CREDENTIALS', [file, (error as Error).message], { cause: error })
  }
  try {
    const { accessKeyId, secretAccessKey } = JSON.parse(text) as Record<string, unknown>
    if (typeof accessKeyId === 'string' && typeof secretAccessKey === 'string') {
      return { accessKeyId, secretAccessKey, access: 'write' }
    }
  } catch {
    // Damaged in either way: the same advice.
  }
  throw new MillraceError('MILL_CREDENTIALS', [
    file,
    'it must hold {"accessKeyId": "…", "secretAccessKey": "…"}: mend it, or remove it to have a new key made.'
  ])
}
