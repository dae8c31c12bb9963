import { MillraceError } from '../../../core/errors.ts'
import type { ErrorCode } from '../../../core/errors.ts'
import type { ConsumerProblem } from '../../../ports/consumer.ts'
import { BrokerUnreachable } from '../problems.ts'
import { InvalidCertificate } from './tls.ts'

type Kind = ConsumerProblem['kind']

const kinds: Partial<Record<ErrorCode, Kind>> = {
  MILL_CERTIFICATE_INVALID: 'client-certificate',
  MILL_SECRET_INVALID: 'authentication',
  MILL_TOKEN_REFUSED: 'authentication',
  MILL_AWS_DENIED: 'permission',
  MILL_ROLE_REFUSED: 'role'
}

/** What it means for the user that a secret cannot be used: it cannot be had, or what it holds is no good. */
export function secretProblem(broker: string, error: Error): BrokerUnreachable {
  const known = error instanceof MillraceError ? kinds[error.code] : undefined
  const kind = error instanceof InvalidCertificate ? 'client-certificate' : (known ?? 'secret')
  return new BrokerUnreachable(broker, error.message, { kind, stage: 'secret', cause: error })
}
