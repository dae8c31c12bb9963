/**
 * Texts of LastProcessingResult and codes of StateTransitionReason (reference 9.6, 1.6): AWS's first sentence, then
 * what really happened, because users' first complaint is that AWS's texts hide the cause.
 */
export interface ProcessingProblem {
  readonly kind:
    | 'connection'
    | 'authentication'
    | 'authorization'
    | 'unknown-topic'
    | 'offset-out-of-range'
    | 'corrupt'
    | 'internal'
    | 'function'
    | 'function-missing'
    | 'cluster-missing'
  readonly message: string
}

/** Begins every text of a problem, and no other. */
export const problemPrefix = 'PROBLEM: '

const sentences: Record<ProcessingProblem['kind'], string> = {
  connection: 'PROBLEM: Connection error. Please check your event source connection configuration.',
  authentication: 'PROBLEM: SASL authentication failed.',
  authorization: 'PROBLEM: Cluster failed to authorize Lambda.',
  'unknown-topic': 'PROBLEM: The topic does not exist on the cluster.',
  'offset-out-of-range': 'PROBLEM: The committed offset is not in the log any more.',
  corrupt: 'PROBLEM: A record batch cannot be read.',
  internal: 'PROBLEM: Lambda internal error. Please contact Lambda customer support.',
  function: 'PROBLEM: Function call failed.',
  'function-missing': 'PROBLEM: Function does not exist.',
  'cluster-missing': 'PROBLEM: The cluster is not known.'
}

/** AWS's codes for a mapping that cannot be served; absent where the mapping itself is sound. */
const reasons: Partial<Record<ProcessingProblem['kind'], string>> = {
  authentication: 'EVENT_SOURCE_AUTHN_ERROR',
  authorization: 'EVENT_SOURCE_AUTHZ_ERROR',
  'unknown-topic': 'ESM_CONFIG_NOT_VALID',
  'function-missing': 'FUNCTION_CONFIG_NOT_VALID',
  'cluster-missing': 'ESM_CONFIG_NOT_VALID'
}

const maxDetailCharacters = 600

export function describeProblem(problem: ProcessingProblem): { text: string; reason?: string } {
  const detail = problem.message.replaceAll(/\s+/g, ' ').trim().slice(0, maxDetailCharacters)
  const text = detail === '' ? sentences[problem.kind] : `${sentences[problem.kind]} Details: ${detail}`
  const reason = reasons[problem.kind]
  return reason === undefined ? { text } : { text, reason }
}
