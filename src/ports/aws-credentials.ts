import type { AssumedRole } from '../core/mapping/assumed-role.ts'
import type { AwsIdentity, AwsKeys } from './cluster-security.ts'

export interface ExpiringAwsKeys extends AwsKeys {
  /** Ask again before. */
  readonly expiration: Date
}

/** The keys of one identity, for who signs each request by itself. */
export interface HeldAwsKeys {
  /**
   * Keys that outlast a request: at once when they are here, and then renewed in the background well before they expire.
   * Otherwise a promise, which rejects as `AwsCredentials.keys` does.
   */
  current(): AwsKeys | Promise<AwsKeys>
  /** AWS refused these very keys: whoever asks next waits for others. */
  refused(keys: AwsKeys): void
}

/** Whose AWS credentials sign. */
export interface AwsCredentials {
  /**
   * Keys that are good for minutes at least, for AWS's clients and for tokens, which die with their keys. Those that say when they
   * expire are kept until shortly before; others are looked for each time. Rejects with `MILL_AWS_CREDENTIALS`,
   * `MILL_AWS_UNREACHABLE` or `MILL_ROLE_REFUSED`.
   */
  keys(identity: AwsIdentity): Promise<ExpiringAwsKeys>
  /** One object for all who name the same identity. */
  of(identity: AwsIdentity): HeldAwsKeys
}

/** What is asked of AWS for a mapping is asked with the credentials of the process, or in the role that its tags name. */
export interface MappingCredentials {
  readonly credentials: AwsCredentials
  readonly role?: AssumedRole
}
