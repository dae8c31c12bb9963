import type { DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Destination } from '../../ports/destination.ts'
import type { Log } from '../../ports/log.ts'
import { BulkSender, type Bulk } from './bulk-sender.ts'
import { fileBulk } from './file.ts'
import { s3Bulk } from './s3.ts'
import { snsBulk } from './sns.ts'
import { sqsBulk } from './sqs.ts'

export interface DestinationDeps {
  readonly log: Log
  readonly clock: Clock
  readonly aws: MappingCredentials
  /** Of this deployment: where buckets are looked for. */
  readonly region: string
  /** Folder of `file:` destinations; made when it is first needed. */
  readonly destinationDir: string
  /** A file that would grow larger is rotated. Default 64 MiB. */
  readonly maxFileBytes?: number
}

/** Opens any destination but a Kafka topic. Connects to nothing before the first delivery. */
export function openDestination(
  target: Exclude<DestinationTarget, { kind: 'kafka' }>,
  deps: DestinationDeps
): Destination {
  return new BulkSender(bulkOf(target, deps), deps.clock)
}

function bulkOf(target: Exclude<DestinationTarget, { kind: 'kafka' }>, deps: DestinationDeps): Bulk {
  switch (target.kind) {
    case 'sqs':
      return sqsBulk(target, deps)
    case 'sns':
      return snsBulk(target, deps.aws)
    case 's3':
      return s3Bulk(target, deps)
    case 'file':
      return fileBulk(target, deps)
    default:
      throw new Error(`no destination for ${JSON.stringify(target satisfies never)}`)
  }
}
