import type { Backoff } from '../../core/retry/backoff.ts'
import type { LoginAnswer, LoginOutcome, LoginRefusal } from '../../core/source/login-queue.ts'
import type { GroupProtocolChoice } from '../../ports/consumer.ts'
import type { PollerEvent } from '../../ports/poller-event.ts'
import type { PollerAssignment, PollerReport } from '../../ports/poller-host.ts'
import type { LogLevel } from '../../ports/log.ts'

/** What crosses the threads. `poller` names one opening of a poller, `login` one turn at a broker; numbers are never used twice. */
export type ToThread =
  | { readonly type: 'open'; readonly poller: number; readonly assignment: PollerAssignment }
  | { readonly type: 'stop'; readonly poller: number; readonly graceMs: number }
  | { readonly type: 'login'; readonly login: number; readonly answer: LoginAnswer }
  | { readonly type: 'login-ended'; readonly login: number; readonly refusal: LoginRefusal | undefined }

export type FromThread =
  /** It has loaded, and takes pollers. */
  | { readonly type: 'ready' }
  | { readonly type: 'report'; readonly poller: number; readonly report: PollerReport }
  | { readonly type: 'stopped'; readonly poller: number }
  | { readonly type: 'event'; readonly event: PollerEvent; readonly atMs: number }
  /** See LoginTurns. */
  | { readonly type: 'login'; readonly login: number; readonly key: string; readonly toldMs: number | undefined }
  | { readonly type: 'login-ended'; readonly login: number; readonly outcome: LoginOutcome }

/** Given to a poller's thread at its start. */
export interface ThreadOptions {
  readonly logLevel: LogLevel
  /** Rebalances wait this long for calls in flight. */
  readonly drainMs: number
  readonly groupProtocol: GroupProtocolChoice
  /** Members of classic groups that were not heard of for so long are taken for dead. */
  readonly groupSessionMs: number
  /** This node's; with a mapping's UUID it names the member. Empty: members are not static. */
  readonly groupInstanceId: string
  /** Where this node is, as brokers name their racks; empty: leaders are read from. */
  readonly clientRack: string
  /** Refuse what AWS refuses. */
  readonly strictAws: boolean
  /** Pauses between tries. */
  readonly backoff: Backoff
  /** Folder of `file:` destinations. */
  readonly destinationDir: string
  /** Of this deployment. */
  readonly region: string
  /** Addresses that nothing is connected to, see AddressGuard. */
  readonly refusedRanges: readonly string[]
  /** What the threads hold, see SharedMemoryUse, and which of them this is. */
  readonly memory: { readonly cells: SharedArrayBuffer; readonly thread: number }
  /** Tell what befalls records, too. It costs: a message for each call. */
  readonly events: boolean
}
