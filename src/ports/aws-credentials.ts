import type { AwsIdentity, AwsKeys } from './cluster-security.ts'

export interface ExpiringAwsKeys extends AwsKeys {
  /** Ask again before. */
  readonly expiration: Date
}

/** Whose AWS credentials sign. */
export interface AwsCredentials {
  /**
   * Keys that are good for minutes at least: of the process, asked for each time, or of a role, which is assumed anew before
   * they expire. Rejects with `MILL_AWS_CREDENTIALS`, `MILL_AWS_UNREACHABLE` or `MILL_ROLE_REFUSED`.
   */
  keys(identity: AwsIdentity): Promise<ExpiringAwsKeys>
}
