import { MillraceError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/**
 * Texts of LastProcessingResult and codes of StateTransitionReason (reference 9.6, 1.6): AWS's first sentence, then
 * what really happened, because users' first complaint is that AWS's texts hide the cause.
 */
export interface ProcessingProblem {
  readonly kind:
    | 'unresolvable'
    | 'connection'
    | 'server-untrusted'
    | 'client-refused'
    | 'client-certificate'
    | 'secret'
    | 'permission'
    | 'role'
    | 'cluster-unfit'
    | 'authentication'
    | 'authorization'
    | 'unknown-topic'
    | 'offset-out-of-range'
    | 'corrupt'
    | 'internal'
    | 'function'
    | 'destination'
    | 'function-missing'
    | 'cluster-missing'
  /** How far it got, and with whom. */
  readonly stage?: string
  readonly broker?: string
  readonly message: string
}

/** Begins every text of a problem, and no other. */
export const problemPrefix = 'PROBLEM: '

const sentences: Record<ProcessingProblem['kind'], string> = {
  unresolvable: 'PROBLEM: The provided Kafka broker endpoints cannot be resolved.',
  connection: 'PROBLEM: Connection error. Please check your event source connection configuration.',
  'server-untrusted': 'PROBLEM: Lambda failed to authenticate server.',
  'client-refused': 'PROBLEM: Server failed to authenticate Lambda.',
  'client-certificate': 'PROBLEM: Provided certificate or private key is invalid.',
  secret:
    'PROBLEM: Connection error. Your event source VPC must be able to connect to Lambda and STS, Secrets Manager (if event source authentication is required), and the OnFailure Destination (if one is configured).',
  permission: 'PROBLEM: Lambda does not have enough permission to process your event source.',
  role: 'PROBLEM: Lambda failed to assume your function execution role. Please check if the role trust Lambda service principal, and make sure it does not require setting source identity to be assumed.',
  'cluster-unfit': 'PROBLEM: The cluster cannot be used as the mapping asks.',
  authentication: 'PROBLEM: SASL authentication failed.',
  authorization: 'PROBLEM: Cluster failed to authorize Lambda.',
  'unknown-topic': 'PROBLEM: The topic does not exist on the cluster.',
  'offset-out-of-range': 'PROBLEM: The committed offset is not in the log any more.',
  corrupt: 'PROBLEM: A record batch cannot be read.',
  internal: 'PROBLEM: Lambda internal error. Please contact Lambda customer support.',
  function: 'PROBLEM: Function call failed.',
  destination: 'PROBLEM: The on-failure destination did not take the records.',
  'function-missing': 'PROBLEM: Function does not exist.',
  'cluster-missing': 'PROBLEM: The cluster is not known.'
}

/** AWS's codes for a mapping that cannot be served; absent where the mapping itself is sound. */
const reasons: Partial<Record<ProcessingProblem['kind'], string>> = {
  'server-untrusted': 'EVENT_SOURCE_AUTHN_ERROR',
  'client-refused': 'EVENT_SOURCE_AUTHN_ERROR',
  'client-certificate': 'ESM_CONFIG_NOT_VALID',
  permission: 'EVENT_SOURCE_AUTHZ_ERROR',
  role: 'ESM_CONFIG_NOT_VALID',
  'cluster-unfit': 'ESM_CONFIG_NOT_VALID',
  authentication: 'EVENT_SOURCE_AUTHN_ERROR',
  authorization: 'EVENT_SOURCE_AUTHZ_ERROR',
  'unknown-topic': 'ESM_CONFIG_NOT_VALID',
  'function-missing': 'FUNCTION_CONFIG_NOT_VALID',
  'cluster-missing': 'ESM_CONFIG_NOT_VALID'
}

const maxDetailCharacters = 600

export function describeProblem(problem: ProcessingProblem): { text: string; reason?: string } {
  const detail = detailOf(problem).replaceAll(/\s+/g, ' ').trim().slice(0, maxDetailCharacters)
  const text = detail === '' ? sentences[problem.kind] : `${sentences[problem.kind]} Details: ${detail}`
  const reason = reasons[problem.kind]
  return reason === undefined ? { text } : { text, reason }
}

/** No broker was reached at all: they may be others by now. */
export const saysNoBroker = (text: string): boolean =>
  text.startsWith(sentences.connection) || text.startsWith(sentences.unresolvable)

/** A batch is being tried again, or waits for its destination: whoever hears of calls has heard it. */
export const saysBatchFails = (text: string): boolean =>
  text.startsWith(sentences.function) || text.startsWith(sentences.destination)

const kindOfCode: Partial<Record<ErrorCode, ProcessingProblem['kind']>> = {
  MILL_CLUSTER_UNKNOWN: 'cluster-missing',
  MILL_CLUSTER_UNFIT: 'cluster-unfit',
  MILL_CLUSTER_BUSY: 'connection',
  MILL_PARAMETER_INVALID: 'cluster-unfit',
  MILL_AWS_DENIED: 'permission',
  MILL_AWS_CREDENTIALS: 'secret',
  MILL_AWS_UNREACHABLE: 'secret',
  MILL_ROLE_REFUSED: 'role',
  MILL_SECRET_UNREADABLE: 'secret',
  MILL_SECRET_INVALID: 'authentication',
  MILL_CERTIFICATE_INVALID: 'client-certificate',
  MILL_TOKEN_REFUSED: 'authentication'
}

/** What keeps a mapping from being served, where finding its cluster or reading its secrets said why. */
export function problemOfError(error: unknown): ProcessingProblem {
  if (!(error instanceof Error)) return { kind: 'internal', message: String(error) }
  return {
    kind: (error instanceof MillraceError ? kindOfCode[error.code] : undefined) ?? 'internal',
    message: error.message
  }
}

/** `TLS b-1.example.com:9094: certificate has expired`. */
function detailOf({ stage, broker, message }: ProcessingProblem): string {
  const place = [stage, broker].filter(each => each !== undefined).join(' ')
  return place === '' ? message : `${place}: ${message}`
}
