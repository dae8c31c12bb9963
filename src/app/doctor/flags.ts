import type { SourceAccess } from '../../core/mapping/mapping.ts'
import type { Tags } from '../../core/mapping/tags.ts'
import type { Connection } from '../mappings/flags.ts'

/** What is looked at: a mapping that is there, or what one would be made of. */
export type DoctorSubject =
  | { readonly kind: 'mapping'; readonly uuid: string }
  | {
      readonly kind: 'cluster'
      /** An MSK ARN, or `host:port` of brokers. */
      readonly cluster: string | readonly string[]
      readonly topic?: string
      readonly groupId?: string
      readonly access: readonly SourceAccess[]
      readonly tags: Tags
      readonly functionName?: string
      readonly destination?: string
    }

/** One `millrace doctor …`, as it stands on the command line. */
export interface DoctorFlags {
  readonly subject: DoctorSubject
  /** The file that `--config` names: its functions, clusters and secrets count. */
  readonly configFile?: string
  readonly connection: Connection
  /** Undefined: a table on a terminal, JSON elsewhere. */
  readonly output: 'json' | 'table' | undefined
}
