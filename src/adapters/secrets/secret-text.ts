import { readFile } from 'node:fs/promises'
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { MillraceError } from '../../core/errors.ts'
import { awsFailure } from '../../core/source/aws-failure.ts'
import type { AwsCredentials } from '../../ports/aws-credentials.ts'
import type { AwsIdentity, SecretReference } from '../../ports/cluster-security.ts'

/** What a secret holds, unread. */
export interface SecretText {
  readonly text: string
  /** How errors call it: its ARN, and its version where it has one. */
  readonly name: string
}

export interface SecretTextDeps {
  readonly aws: AwsCredentials
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** AWS's limit; a file that is larger is some other file. */
const mostBytes = 65_536
const patienceMs = 10_000

/** Reads secrets from Secrets Manager, whose client is loaded when first needed, from files and from the environment. */
export class SecretTexts {
  readonly #deps: SecretTextDeps
  readonly #clients = new Map<string, Promise<SecretsManagerClient>>()

  constructor(deps: SecretTextDeps) {
    this.#deps = deps
  }

  /** Rejects with `MILL_SECRET_UNREADABLE`, `MILL_AWS_…` or `MILL_ROLE_REFUSED`, naming the secret. */
  async read({ arn, from }: SecretReference): Promise<SecretText> {
    switch (from.kind) {
      case 'secrets-manager':
        return this.#fromSecretsManager(arn, from)
      case 'file':
        return { name: arn, text: await readSecretFile(arn, from.path) }
      case 'environment': {
        const text = this.#deps.environment[from.variable]
        if (text === undefined || text === '')
          throw unreadable(arn, `the environment variable ${from.variable} is not set`)
        return { name: arn, text }
      }
      default:
        throw new Error(`no reader for ${JSON.stringify(from satisfies never)}`)
    }
  }

  async #fromSecretsManager(arn: string, identity: AwsIdentity): Promise<SecretText> {
    try {
      const client = await this.#client(identity)
      const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager')
      const answer = await client.send(new GetSecretValueCommand({ SecretId: arn }), {
        abortSignal: AbortSignal.timeout(patienceMs)
      })
      const text =
        answer.SecretString ?? (answer.SecretBinary && Buffer.from(answer.SecretBinary).toString('utf8')) ?? ''
      if (text === '') throw unreadable(arn, 'it is empty')
      return { text, name: answer.VersionId === undefined ? arn : `${arn} (version ${answer.VersionId})` }
    } catch (error) {
      throw secretError(error, arn)
    }
  }

  #client({ region, roleArn, externalId }: AwsIdentity): Promise<SecretsManagerClient> {
    const key = `${region} ${roleArn ?? ''} ${externalId ?? ''}`
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    const identity = {
      region,
      ...(roleArn === undefined ? {} : { roleArn }),
      ...(externalId === undefined ? {} : { externalId })
    }
    const made = import('@aws-sdk/client-secrets-manager').then(
      ({ SecretsManagerClient }) =>
        new SecretsManagerClient({
          region,
          credentials: () => this.#deps.aws.keys(identity),
          maxAttempts: 2,
          requestHandler: { connectionTimeout: 3_000, requestTimeout: 5_000, throwOnRequestTimeout: true }
        })
    )
    this.#clients.set(key, made)
    return made
  }
}

async function readSecretFile(arn: string, path: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw unreadable(arn, `the file ${path}: ${(error as NodeJS.ErrnoException).code ?? 'it cannot be opened'}`)
  }
  if (bytes.length > mostBytes) throw unreadable(arn, `the file ${path} is larger than ${mostBytes} bytes`)
  const text = bytes.toString('utf8')
  if (text.trim() === '') throw unreadable(arn, `the file ${path} is empty`)
  return text
}

// No cause goes along: an SDK's error holds requests and answers, and who logs it would log them.
function secretError(error: unknown, arn: string): MillraceError {
  if (error instanceof MillraceError) return error
  const { kind, text } = awsFailure(error)
  switch (kind) {
    case 'denied':
      return new MillraceError('MILL_AWS_DENIED', [`the secret ${arn}`, 'secretsmanager:GetSecretValue', text])
    case 'credentials':
      return new MillraceError('MILL_AWS_CREDENTIALS', [text])
    case 'busy':
    case 'unreachable':
      return new MillraceError('MILL_AWS_UNREACHABLE', ['Secrets Manager', `the secret ${arn}`, text])
    case 'missing':
    case 'refused':
      return unreadable(arn, text)
    default:
      throw new Error(`unknown failure ${kind satisfies never}`)
  }
}

const unreadable = (arn: string, why: string): MillraceError => new MillraceError('MILL_SECRET_UNREADABLE', [arn, why])
