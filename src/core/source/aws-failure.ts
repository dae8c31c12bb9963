/** Why a call of AWS failed, as far as it decides what a user has to do. */
export interface AwsFailure {
  /**
   * denied       the credentials are good and may not do this
   * credentials  there are none, or AWS does not take them
   * missing      what was asked for does not exist
   * busy         throttled, or a fault of AWS's: later it may work
   * unreachable  no answer: network, DNS, an endpoint that is not there
   * refused      any other answer of AWS's
   */
  readonly kind: 'denied' | 'credentials' | 'missing' | 'busy' | 'unreachable' | 'refused'
  readonly text: string
}

const denied = /^(AccessDenied|Forbidden|UnauthorizedOperation|AccessDeniedException|ForbiddenException)$/
const unbelieved =
  /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|ExpiredToken|IncompleteSignature|MissingAuthenticationToken|InvalidAccessKeyId|RequestExpired|Unauthorized)(Exception)?$/
const missing = /^(NotFound|ResourceNotFound|NoSuchEntity)(Exception)?$/
const busy =
  /^(Throttling|ThrottlingException|TooManyRequests|TooManyRequestsException|RequestLimitExceeded|ServiceUnavailable|ServiceUnavailableException|InternalServerError|InternalServerErrorException|InternalServiceError|InternalFailure)$/
const noCredentials = /^(CredentialsProviderError|TokenProviderError|ProviderError)$/

/** Reads what an AWS client threw: by its name, by the status of its answer, or by there being none. */
export function awsFailure(error: unknown): AwsFailure {
  if (!(error instanceof Error)) return { kind: 'unreachable', text: String(error) }
  const { name } = error
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  const text = textOf(error)
  if (noCredentials.test(name)) return { kind: 'credentials', text }
  if (status === undefined) return { kind: 'unreachable', text }
  if (unbelieved.test(name)) return { kind: 'credentials', text: `${name}: ${text}` }
  if (denied.test(name) || status === 403) return { kind: 'denied', text }
  if (missing.test(name) || status === 404) return { kind: 'missing', text }
  if (busy.test(name) || status === 429 || status >= 500) return { kind: 'busy', text: `${name}: ${text}` }
  return { kind: 'refused', text: `${name}: ${text}` }
}

/** A failed connection says most in its code, and Node hides several behind one error without a message. */
function textOf(error: Error): string {
  const nested: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  const told = nested instanceof Error ? nested : error
  const code = (told as { code?: unknown }).code
  const text = told.message === '' ? (typeof code === 'string' ? code : told.name) : told.message
  // A signature that does not fit is answered with the whole request that was signed, a session token among its headers.
  return text
    .replace(/\s*The Canonical String.*$/s, '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 400)
}
