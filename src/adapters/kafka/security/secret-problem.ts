import { MillraceError } from '../../../core/errors.ts'
import { BrokerUnreachable } from '../problems.ts'
import { InvalidCertificate } from './tls.ts'

/** What it means for the user that a secret cannot be used: it cannot be had, or what it holds is no certificate. */
export function secretProblem(broker: string, error: Error): BrokerUnreachable {
  const unusable =
    error instanceof InvalidCertificate ||
    (error instanceof MillraceError && /CERTIFICATE|PRIVATE_KEY/.test(error.code))
  const kind = unusable ? 'client-certificate' : 'secret'
  return new BrokerUnreachable(broker, error.message, { kind, stage: 'secret', cause: error })
}
