/**
 * Every error that reaches a user, in one registry: its HTTP status, AWS's exception name, and a message that says what
 * was given and what would do. `%s` are filled in order. Codes are never renamed or reused; docs/errors.md lists them all.
 */
const registry = {
  MILL_MAPPING_NOT_FOUND: {
    status: 404,
    aws: 'ResourceNotFoundException',
    message: 'The resource you requested does not exist.'
  },
  MILL_MAPPING_CONFLICT: {
    status: 409,
    aws: 'ResourceConflictException',
    message:
      'An event source mapping with event source ("%s"), function ("%s"), topics ("%s") already exists. Please update or delete the existing mapping with UUID %s'
  },
  MILL_GROUP_CONFLICT: {
    status: 409,
    aws: 'ResourceConflictException',
    message: 'The consumer group ("%s") on event source ("%s") is already used by the event source mapping with UUID %s'
  },
  MILL_MAPPING_IN_USE: {
    status: 400,
    aws: 'ResourceInUseException',
    message: 'Cannot %s the event source mapping because it is in use.'
  },
  MILL_EVENT_SOURCE_UNKNOWN: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Unrecognized event source.'
  },
  MILL_CLUSTER_UNKNOWN: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Cluster %s is not in the configuration, and %s: add it under "clusters" with its brokers.'
  },
  MILL_CLUSTER_UNFIT: { status: 400, aws: 'InvalidParameterValueException', message: 'Cluster %s %s.' },
  MILL_CLUSTER_BUSY: { status: 503, aws: 'ServiceException', message: 'Cluster %s %s.' },
  MILL_AWS_DENIED: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'AWS does not let us ask for %s: please add the permission %s. AWS says: %s'
  },
  MILL_AWS_CREDENTIALS: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'There are no AWS credentials that can be used: %s'
  },
  MILL_AWS_UNREACHABLE: {
    status: 503,
    aws: 'ServiceException',
    message: '%s cannot be asked for %s at the moment: %s'
  },
  MILL_ROLE_REFUSED: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'The role %s cannot be assumed: %s'
  },
  MILL_FILTER_INVALID: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Invalid filter pattern definition.'
  },
  MILL_FUNCTION_NOT_FOUND: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Function does not exist'
  },
  MILL_PARAMETER_MISSING: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: "Required '%s' parameter is missing."
  },
  MILL_PARAMETER_UNSUPPORTED: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: "Unsupported '%s' parameter for given event source mapping type"
  },
  MILL_PARAMETER_NOT_BUILT: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Millrace does not support %s yet: remove it from the request.'
  },
  MILL_PARAMETER_INVALID: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: '%s'
  },
  MILL_DESTINATION_UNSUPPORTED: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Unsupported DestinationConfig parameter for given event source mapping type.'
  },
  MILL_DESTINATION_INVALID: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: "The on-failure destination '%s' in DestinationConfig cannot be used: %s."
  },
  MILL_DESTINATION_SOURCE_TOPIC: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'The Kafka on-failure destination topic must differ from the source topic.'
  },
  MILL_FUNCTION_TIMEOUT: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Function timeout must not exceed %s seconds for Kafka event source mappings: that of %s is %s s.'
  },
  MILL_FUNCTION_UNKNOWN: { status: 404, aws: 'ResourceNotFoundException', message: 'Function not found: %s' },
  MILL_TAG_TARGET_UNKNOWN: {
    status: 404,
    aws: 'ResourceNotFoundException',
    message: 'Event source mapping not found: %s'
  },
  MILL_TAGS_TOO_MANY: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Number of tags exceeds resource tag limit.'
  },
  MILL_INVOKE_THROTTLED: { status: 429, aws: 'TooManyRequestsException', message: 'Rate Exceeded. %s' },
  MILL_INVOKE_FAILED: { status: 500, aws: 'ServiceException', message: 'Function %s could not be called: %s' },
  MILL_CONSTRAINT: { status: 400, aws: 'ValidationException', message: '%s' },
  MILL_BODY_NOT_JSON: {
    status: 400,
    aws: 'SerializationException',
    message: 'Could not parse request body into json: %s'
  },
  MILL_BODY_TYPE: { status: 400, aws: 'SerializationException', message: '%s must be %s, got %s.' },
  MILL_REQUEST_MALFORMED: { status: 400, aws: 'InvalidRequestException', message: 'Malformed request: %s' },
  MILL_BODY_TOO_LARGE: {
    status: 413,
    aws: 'RequestTooLargeException',
    message: 'Request must be smaller than %s bytes for the %s operation'
  },
  MILL_ROUTE_UNKNOWN: {
    status: 404,
    aws: 'UnknownOperationException',
    message: 'Millrace has no operation for %s %s.'
  },
  MILL_OPERATION_NOT_BUILT: {
    status: 404,
    aws: 'UnknownOperationException',
    message: 'Millrace does not have the operation %s of AWS Lambda.'
  },
  MILL_AUTH_ORIGIN: {
    status: 403,
    aws: 'AccessDeniedException',
    message: 'This server takes unsigned requests, but none from web pages (Origin %s).'
  },
  MILL_AUTH_MISSING: {
    status: 403,
    aws: 'MissingAuthenticationTokenException',
    message: 'Missing Authentication Token'
  },
  MILL_AUTH_INCOMPLETE: { status: 403, aws: 'IncompleteSignatureException', message: '%s' },
  MILL_AUTH_PAYLOAD: {
    status: 403,
    aws: 'InvalidSignatureException',
    message: 'The whole body must be signed with its SHA-256, got %s: unsigned and chunked payloads are not supported.'
  },
  MILL_AUTH_UNKNOWN_KEY: {
    status: 403,
    aws: 'UnrecognizedClientException',
    message: 'The security token included in the request is invalid.'
  },
  MILL_AUTH_SIGNATURE: {
    status: 403,
    aws: 'InvalidSignatureException',
    message:
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
  },
  MILL_AUTH_SCOPE: { status: 403, aws: 'InvalidSignatureException', message: '%s' },
  MILL_AUTH_EXPIRED: { status: 403, aws: 'InvalidSignatureException', message: 'Signature expired: %s' },
  MILL_AUTH_DENIED: {
    status: 403,
    aws: 'AccessDeniedException',
    message: 'Access key %s has %s access and may not perform lambda:%s.'
  },
  MILL_STORE_UNAVAILABLE: { status: 503, aws: 'ServiceException', message: 'The mapping store cannot be used: %s' },
  MILL_STORE_FULL: {
    status: 503,
    aws: 'ServiceException',
    message: 'The disk of the mapping store is full (%s): make room on it. Nothing of this change was kept.'
  },
  MILL_INTERNAL: { status: 500, aws: 'ServiceException', message: 'An internal error occurred. See the log entry %s.' },

  MILL_SECRET_UNREADABLE: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Secret %s cannot be read: %s'
  },
  MILL_SECRET_INVALID: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'Secret %s does not hold what it should: %s.'
  },
  MILL_CERTIFICATE_INVALID: { status: 400, aws: 'InvalidParameterValueException', message: 'Secret %s: %s.' },
  MILL_TOKEN_REFUSED: {
    status: 400,
    aws: 'InvalidParameterValueException',
    message: 'The token endpoint %s gave no token: %s'
  },

  MILL_CONFIG_FILE_MISSING: { status: 0, aws: '', message: 'Configuration file %s does not exist.' },
  MILL_CONFIG_UNREADABLE: { status: 0, aws: '', message: 'Configuration file %s cannot be read: %s' },
  MILL_CONFIG_KEY_UNKNOWN: { status: 0, aws: '', message: 'Unknown key %s in %s%s' },
  MILL_CONFIG_VALUE: { status: 0, aws: '', message: '%s must be %s, got %s (from %s).' },
  MILL_CONFIG_NOT_BUILT: { status: 0, aws: '', message: '%s is not built yet: %s (from %s).' },
  MILL_LISTEN: { status: 0, aws: '', message: 'Cannot listen on %s (%s): %s' },
  MILL_DATA_DIR: { status: 0, aws: '', message: 'The data directory %s cannot be used: %s' },
  MILL_STORE_SCHEMA: {
    status: 0,
    aws: '',
    message: 'The store %s has schema version %s, newer than %s that this Millrace knows: run a newer Millrace.'
  },
  MILL_STORE_DAMAGED: {
    status: 0,
    aws: '',
    message:
      'The store %s is damaged (%s): stop Millrace, move the file and those beside it ending in -wal and -shm away, start again and create the mappings anew with their consumer groups; committed offsets are in Kafka and stay.'
  },
  MILL_STORE_FOREIGN: {
    status: 0,
    aws: '',
    message: 'The file %s is a database of another program: name another data directory.'
  },
  MILL_STORE_IN_USE: {
    status: 0,
    aws: '',
    message: 'The store %s is in use by another process: stop the other Millrace, or name another data directory.'
  },
  MILL_CREDENTIALS: { status: 0, aws: '', message: 'The credentials file %s cannot be used: %s' },
  MILL_CREDENTIALS_MISSING: {
    status: 0,
    aws: '',
    message:
      'No access key to call the API with: %s. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or name the data directory of the server with --data-dir.'
  },
  MILL_API_UNREACHABLE: {
    status: 0,
    aws: '',
    message: 'No answer from the API at %s (%s): is "millrace serve" running? --endpoint-url names another address.'
  },
  MILL_FILTER_PATTERN: { status: 0, aws: '', message: 'Pattern %s cannot be used: %s.' },
  MILL_FILTER_INPUT: { status: 0, aws: '', message: '%s' },
  MILL_TOPIC_UNKNOWN: { status: 0, aws: '', message: '%s' },
  MILL_TOPIC_UNREADABLE: { status: 0, aws: '', message: '%s' },
  MILL_RECORD_INVALID: { status: 0, aws: '', message: '%s %s.' },
  MILL_FILE_UNREADABLE: { status: 0, aws: '', message: 'The file %s of %s cannot be read: %s' },
  MILL_SEND_FAILED: {
    status: 0,
    aws: '',
    message: 'Not everything was sent to topic %s (%s records were acknowledged): %s'
  },
  MILL_DEV_NOT_FOUND: {
    status: 0,
    aws: '',
    message: 'No "millrace dev" runs in %s%s: start one, or name brokers with --bootstrap HOST:PORT.'
  },
  MILL_DEV_RUNNING: {
    status: 0,
    aws: '',
    message: 'A "millrace dev" runs here already (process %s, API %s): end it, or name another --data-dir.'
  },
  MILL_DEV_NOTHING: { status: 0, aws: '', message: 'There is nothing to run: %s.' },
  MILL_DEV_FUNCTION: { status: 0, aws: '', message: 'The function %s cannot be run here: %s.' },
  MILL_DEV_MAPPING: { status: 0, aws: '', message: 'The mapping %s cannot be run: %s' },
  MILL_DEV_BROKER: { status: 0, aws: '', message: 'The brokers %s cannot be used: %s' },
  MILL_TEMPLATE: { status: 0, aws: '', message: 'The template %s cannot be run as it is: %s' },
  MILL_TEMPLATE_UNREADABLE: { status: 0, aws: '', message: 'The template %s cannot be read: %s' },
  MILL_WAIT_TIMEOUT: { status: 0, aws: '', message: 'The mapping %s is still %s after %s s.' }
} as const satisfies Record<string, { readonly status: number; readonly aws: string; readonly message: string }>

export type ErrorCode = keyof typeof registry
export const errorCodes = Object.keys(registry) as ErrorCode[]

/** An error with a code of the registry. `status` and `aws` are 0 and '' where it never leaves over HTTP. */
export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly status: number
  /** AWS's exception name, as sent in `x-amzn-ErrorType`. */
  readonly aws: string

  constructor(code: ErrorCode, values: readonly (string | number)[] = [], options?: ErrorOptions) {
    let at = 0
    super(
      registry[code].message.replaceAll('%s', () => String(values[at++] ?? '')),
      options
    )
    this.name = 'MillraceError'
    this.code = code
    this.status = registry[code].status
    this.aws = registry[code].aws
  }
}
