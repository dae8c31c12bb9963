import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** Any of these set means that somebody gave this process credentials for AWS. */
const variables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI'
] as const

/** Keys of AWS's own files by which a profile comes to credentials. */
const sources = /^\s*(aws_access_key_id|credential_process|sso_\w+|role_arn|web_identity_token_file|login_session)\s*=/m

/** Whether credentials for AWS are configured. Asks no network: a machine's role is not seen. */
export function hasAwsCredentials(env: Env): boolean {
  if (variables.some(name => env[name])) return true
  const home = env['HOME'] || env['USERPROFILE']
  const inHome = (name: string) => (home ? [join(home, '.aws', name)] : [])
  return [
    ...(env['AWS_SHARED_CREDENTIALS_FILE'] ? [env['AWS_SHARED_CREDENTIALS_FILE']] : inHome('credentials')),
    ...(env['AWS_CONFIG_FILE'] ? [env['AWS_CONFIG_FILE']] : inHome('config'))
  ].some(file => sources.test(contentOf(file)))
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // not there, or not ours to read: no credentials for us
  }
}
