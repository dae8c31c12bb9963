import { MillraceError } from '../../core/errors.ts'

/** What AWS's error names (without `Exception`) and the network's codes mean, in the user's terms. */
const meanings: Readonly<Record<string, string>> = {
  AccessDenied: 'the credentials do not allow it',
  AuthorizationError: 'the credentials do not allow it',
  AllAccessDisabled: 'access to it is disabled',
  ExpiredToken: 'the credentials have expired',
  InvalidAccessKeyId: 'the access key is unknown',
  InvalidClientTokenId: 'the access key is unknown',
  UnrecognizedClient: 'the access key is unknown',
  SignatureDoesNotMatch: 'the secret access key does not belong to the access key',
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  QueueDoesNotExist: 'there is no such queue',
  NonExistentQueue: 'there is no such queue',
  NotFound: 'there is no such topic',
  NoSuchBucket: 'there is no such bucket',
  PermanentRedirect: 'the bucket is in another region',
  InvalidMessageContents: 'a message has characters that are not allowed',
  InvalidParameter: 'a message was not accepted',
  InvalidParameterValue: 'a message was not accepted',
  BatchRequestTooLong: 'the message is larger than it takes',
  EntityTooLarge: 'the object is larger than it takes',
  KmsAccessDenied: 'the credentials may not use its KMS key',
  KMSAccessDenied: 'the credentials may not use its KMS key',
  KmsDisabled: 'its KMS key is disabled',
  KMSDisabled: 'its KMS key is disabled',
  KmsNotFound: 'its KMS key does not exist',
  KMSNotFound: 'its KMS key does not exist',
  InternalError: 'it has a fault of its own',
  InternalFailure: 'it has a fault of its own',
  ServiceUnavailable: 'it is unavailable at the moment',
  SlowDown: 'it is throttling',
  RequestThrottled: 'it is throttling',
  Throttled: 'it is throttling',
  Throttling: 'it is throttling',
  KmsThrottled: 'it is throttling',
  TimeoutError: 'the connection timed out',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ENOTFOUND: 'there is no such host name',
  EAI_AGAIN: 'the host name cannot be looked up at the moment',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  ETIMEDOUT: 'the connection timed out'
}

/**
 * What went wrong at a destination. It names AWS's error but leaves AWS's text out: that of a wrong signature quotes the
 * request with its session token.
 */
export function awsProblem(name: string, error: unknown): Error {
  // What keeps us from having credentials is in our own words.
  if (error instanceof MillraceError) return new Error(`Destination ${name} took nothing: ${error.message}`)
  const said = errorName(error)
  const status = statusOf(error)
  const shown = status === undefined ? said : `${said}, status ${status}`
  return new Error(`Destination ${name} took nothing: ${meanings[kindOf(said)] ?? 'it failed'} (${shown}).`)
}

/** As AWS's documents spell it, without the suffix that only some of its services use. */
export const problemKind = (error: unknown): string => kindOf(errorName(error))

const kindOf = (name: string): string => name.replace(/Exception$/, '')

/** AWS's name of the error, without the namespace that the older protocol puts before it; else the network's code. */
function errorName(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  // Node tries all addresses of a name and gathers the failures; the first stands for all.
  const [inner] = error instanceof AggregateError ? (error.errors as unknown[]) : []
  const { code, name } = (inner instanceof Error ? inner : error) as Error & { code?: unknown }
  const best = typeof code === 'string' && name === 'Error' ? code : name
  return best.split('.').at(-1) ?? best
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode
}
