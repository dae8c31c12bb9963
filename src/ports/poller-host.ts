import type { DestinationTarget } from '../core/destination/target.ts'
import type { SampledRefusals } from '../core/filter/refusals.ts'
import type { Counts } from '../core/metrics.ts'
import type { MappingSpec } from '../core/mapping/mapping.ts'
import type { ClusterAddress } from './consumer.ts'
import type { FunctionTarget } from './functions.ts'

/** All a poller needs to know. Plain data: it crosses to a poller's thread. */
export interface PollerAssignment {
  readonly mapping: string
  readonly specVersion: number
  readonly spec: MappingSpec
  readonly cluster: ClusterAddress
  /** `bootstrapServers` of the event: the endpoints in use, comma-joined. */
  readonly bootstrapServers: string
  readonly target: FunctionTarget
  /** Where given-up records go; absent: they are dropped. */
  readonly destination?: DestinationTarget
  /** What all pollers of the process may hold together; what of it is this one's follows from what the others hold. */
  readonly budgetBytes: number
}

export type PollerReport =
  /** It takes part in the group (assigned or waiting for partitions), or has told by a `result` before what keeps it from that. */
  | { readonly kind: 'running' }
  /** Text of LastProcessingResult, and AWS's code for StateTransitionReason when the source is at fault. */
  | { readonly kind: 'result'; readonly text: string; readonly reason?: string }
  /** Counted since the last such report; `refusals` only where a mapping asks for them. */
  | { readonly kind: 'counts'; readonly counts: Counts; readonly refusals?: SampledRefusals }
  /** It ended without being asked to; the fleet starts another. */
  | { readonly kind: 'failed'; readonly message: string }

export interface PollerHandle {
  /** Finishes and commits what is in flight within `graceMs`, leaves the group. Safe twice. */
  stop(graceMs: number): Promise<void>
}

/** Where pollers run: worker threads, shared by all mappings. */
export interface PollerHost {
  open(assignment: PollerAssignment, report: (report: PollerReport) => void): PollerHandle
  close(): Promise<void>
}
