import { errorCodes, KafkaError } from './error-codes.ts'
import type { BrokerState, GroupProtocolName } from './broker-state.ts'
import type { Reading, WireType, Writing } from './wire-schema.ts'

/** What a handler knows of a request beside its body. */
export interface RequestContext {
  readonly broker: BrokerState
  readonly version: number
  readonly clientId: string
  readonly clientHost: string
  /** Where this client reaches the broker: what metadata tells it. */
  readonly advertised: { readonly host: string; readonly port: number }
  /** Aborted when the connection ends or the broker stops: nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** One request of the protocol, as its author writes it down. */
export interface ApiDefinition<Request extends WireType<unknown>, Response extends WireType<unknown>> {
  readonly key: number
  /** Kafka's name for it. */
  readonly name: string
  readonly versions: readonly [min: number, max: number]
  /** First version in the flexible encoding; Infinity if there is none. */
  readonly flexibleFrom: number
  /** Set where only members of groups of one protocol need it. */
  readonly groupProtocol?: GroupProtocolName
  readonly request: Request
  readonly response: Response
  /** `undefined` for no answer at all. */
  handle(request: Reading<Request>, context: RequestContext): Answer<Response> | Promise<Answer<Response>>
  /** The same request refused as a whole, in the way its answer has for that; `undefined` where none is awaited. */
  refuse(request: Reading<Request>, error: number, context: RequestContext): Answer<Response>
}
export type Answer<Response> = Writing<Response> | undefined

/** One request of the protocol, as the connection uses it. */
export interface Api {
  readonly key: number
  readonly name: string
  readonly versions: readonly [min: number, max: number]
  readonly flexibleFrom: number
  readonly groupProtocol?: GroupProtocolName
  readonly request: WireType<unknown>
  readonly response: WireType<unknown>
  handle(request: unknown, context: RequestContext): unknown
  refuse(request: unknown, error: number, context: RequestContext): unknown
}

/** Checks the parts of a definition against each other, then forgets their types. */
export function defineApi<Request extends WireType<unknown>, Response extends WireType<unknown>>(
  definition: ApiDefinition<Request, Response>
): Api {
  return definition
}

/** The code of whatever a handler threw; only a refusal of ours has one. */
export function codeOf(error: unknown): number {
  return error instanceof KafkaError ? error.code : errorCodes.UNKNOWN_SERVER_ERROR
}

/** Code and message of an attempt, for answers that carry both. Throws on what is not a refusal. */
export function attempt(act: () => void): { errorCode: number; errorMessage: string | null } {
  try {
    act()
    return { errorCode: errorCodes.NONE, errorMessage: null }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { errorCode: error.code, errorMessage: error.message }
  }
}
