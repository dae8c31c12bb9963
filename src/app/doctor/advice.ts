import { problemOf } from '../../adapters/kafka/problems.ts'
import { MillraceError, type ErrorCode } from '../../core/errors.ts'
import type { ClusterSecurity } from '../../ports/cluster-security.ts'
import type { ConsumerProblem } from '../../ports/consumer.ts'

/** A failure in the user's terms, and the one thing to do about it. */
export interface Explanation {
  readonly detail: string
  readonly advice: string
}

export function explain(error: unknown): Explanation {
  if (error instanceof MillraceError) return { detail: error.message, advice: byCode[error.code] ?? look(error.code) }
  const problem = problemOf(error, 'do it')
  const detail =
    error instanceof Error ? (problem.kind === 'internal' ? error.message : problem.message) : String(error)
  return { detail, advice: adviceFor(problem) }
}

const look = (code: ErrorCode): string => `See ${code} in docs/errors.md.`

const byCode: Partial<Record<ErrorCode, string>> = {
  MILL_CLUSTER_UNKNOWN: 'Put the brokers of the cluster under "clusters" in millrace.yaml, or correct the ARN.',
  MILL_CLUSTER_UNFIT: 'Change what the cluster takes, or what the mapping names in SourceAccessConfigurations.',
  MILL_CLUSTER_BUSY: 'Wait until the cluster is ready, and ask again.',
  MILL_PARAMETER_INVALID: 'Correct the access configurations or tags as the text says.',
  MILL_AWS_DENIED: 'Give the permission that is named to the credentials in use.',
  MILL_AWS_CREDENTIALS: 'Give this machine AWS credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID, or a role.',
  MILL_AWS_UNREACHABLE: 'Open the way to the endpoint of AWS: a route, a proxy, a VPC endpoint.',
  MILL_ROLE_REFUSED: 'Let the credentials in use assume the role: its trust policy, and the external id.',
  MILL_SECRET_UNREADABLE: 'Put the secret where it is looked for, or correct its ARN.',
  MILL_SECRET_INVALID: 'Correct the content of the secret as the text says.',
  MILL_CERTIFICATE_INVALID: 'Put a certificate and key into the secret that can be used.',
  MILL_TOKEN_REFUSED: 'Correct clientId and clientSecret, or the token endpoint.',
  MILL_FUNCTION_NOT_FOUND: 'Correct the name, or put the function under "functions" in millrace.yaml.'
}

/** By what went wrong and how far it got. */
export function adviceFor({ kind, stage, message }: Pick<ConsumerProblem, 'kind' | 'stage' | 'message'>): string {
  if (message.includes('must not be reached'))
    return 'Name another address, or take the range out of refusedAddresses in millrace.yaml.'
  if (message.includes('announced a response of'))
    return 'Name the port of a Kafka broker: what answers there speaks something else.'
  switch (kind) {
    case 'unresolvable':
      return 'Correct the name of the broker, or let the DNS server of this machine know it.'
    case 'connection':
      return connectionAdvice(stage, message)
    case 'server-untrusted':
      return certificateAdvice(message)
    case 'client-refused':
      return 'Name a client certificate that the brokers trust as CLIENT_CERTIFICATE_TLS_AUTH.'
    case 'client-certificate':
      return 'Put a certificate and key into the secret that can be used.'
    case 'secret':
      return 'Put the secret where it is looked for, or let it be read.'
    case 'permission':
      return 'Give the permission that is named to the credentials in use.'
    case 'role':
      return 'Let the credentials in use assume the role.'
    case 'authentication':
      return message.includes('does not take')
        ? 'Name one of the mechanisms that the broker takes in SourceAccessConfigurations.'
        : 'Correct the credentials in the secret, or make the user known to the brokers.'
    case 'authorization':
      return 'Allow it on the brokers: "millrace policy kafka UUID" prints the commands.'
    case 'unknown-topic':
      return 'Create the topic, or correct its name.'
    case 'offset-out-of-range':
    case 'corrupt':
      return 'Look at the log of the brokers: the partition cannot be read as it is.'
    case 'internal':
      return 'Look at the log of the brokers, and tell us if it says nothing.'
    default:
      throw new Error(`no advice for ${kind satisfies never}`)
  }
}

/** Who proves it with AWS credentials or a token has no user at the brokers that could be corrected. */
export function tokenAdvice({ iam, oidc }: ClusterSecurity): string | undefined {
  if (iam !== undefined)
    return 'Allow kafka-cluster:Connect on the cluster to the AWS credentials in use ("millrace policy kafka UUID" prints the policy), and see that they are of the right account.'
  if (oidc !== undefined)
    return 'Have the issuer give tokens as the brokers expect them: issuer, audience, scope, extensions. Why a token was refused is in the log of the brokers.'
  return undefined
}

function connectionAdvice(stage: ConsumerProblem['stage'], message: string): string {
  if (stage === 'TCP')
    return message.includes('ECONNREFUSED')
      ? 'Start the broker, or name the port that it listens on.'
      : 'Open the way to host and port: route, firewall, security group.'
  if (stage === 'TLS') return 'Name a listener that speaks TLS, or leave out what asks for TLS.'
  if (stage === 'API versions')
    return 'Name a listener of Kafka that takes this way of connecting; one with TLS wants SERVER_ROOT_CA_CERTIFICATE or credentials.'
  return 'See that the brokers are up and answer.'
}

function certificateAdvice(message: string): string {
  if (/expired/i.test(message))
    return "Have the broker's certificate renewed; see that the clock of this machine is right."
  if (/not yet valid/i.test(message)) return 'See that the clock of this machine is right.'
  if (/altname|hostname/i.test(message)) return 'Name the brokers as their certificate does, or have it name them.'
  return 'Name the authority that signed it as SERVER_ROOT_CA_CERTIFICATE.'
}
