import type { Output } from '../cli/flags.ts'
import type { Connection } from '../mappings/flags.ts'

/** Of what the rights are written. */
export const policySubjects = ['kafka', 'function', 'network', 'vpc-endpoints'] as const
export type PolicyKind = (typeof policySubjects)[number]

/** One `millrace policy …`, as it stands on the command line. */
export interface PolicyFlags {
  readonly kind: PolicyKind
  readonly uuid: string
  /** Whom the brokers know, as `kafka-acls.sh` names it; absent: a placeholder. */
  readonly principal?: string
  readonly output: Output
  readonly connection: Connection
}
