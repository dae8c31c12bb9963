import { MillraceError } from '../core/errors.ts'
import type { Reply } from './reply.ts'
import type { ErrorBody } from './shapes.ts'

// Which types spell `Message`, and which carry `Type`: AWS's model differs from one to the next (reference 1.9).
const capitalMessage = new Set([
  'ResourceNotFoundException',
  'ResourceInUseException',
  'ServiceException',
  'SerializationException'
])
const typed = new Set([
  'InvalidParameterValueException',
  'ResourceConflictException',
  'ResourceNotFoundException',
  'ResourceInUseException',
  'TooManyRequestsException',
  'RequestTooLargeException',
  'ServiceException'
])

/** An error in AWS's form. What is not ours becomes MILL_INTERNAL naming the request, whose log entry tells the rest. */
export function errorReply(error: unknown, requestId: string): Reply {
  const known = error instanceof MillraceError && error.status !== 0 ? error : internal(error, requestId)
  const body: ErrorBody = {
    ...(typed.has(known.aws) ? { Type: known.status >= 500 ? 'Service' : 'User' } : {}),
    ...(capitalMessage.has(known.aws) ? { Message: known.message } : { message: known.message }),
    ...(known.code === 'MILL_INVOKE_THROTTLED' ? { Reason: 'ConcurrentInvocationLimitExceeded' } : {})
  }
  return {
    status: known.status,
    // The second header names our own code, which docs/errors.md explains; AWS's clients ignore it.
    headers: { 'x-amzn-errortype': known.aws, 'x-millrace-error': known.code },
    body: { json: body }
  }
}

function internal(error: unknown, requestId: string): MillraceError {
  return new MillraceError('MILL_INTERNAL', [requestId], { cause: error })
}
