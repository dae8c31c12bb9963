import { clientContextJson, longestClientContext } from '../../core/client-context.ts'
import { MillraceError } from '../../core/errors.ts'
import { readOne } from '../../core/mapping/constraints.ts'
import type { Home } from '../../core/mapping/function-name.ts'
import type { InvokeReply } from '../../core/retry/reply.ts'
import { xrayTrace } from '../../core/trace.ts'
import type { FunctionCatalog, FunctionEntry } from '../../ports/functions.ts'
import type { BackgroundCalls } from '../background-calls.ts'
import type { Reply } from '../reply.ts'
import type { Route } from '../router.ts'
import { readJson } from './body.ts'
import { functionOf } from './functions.ts'

export interface InvokeCall {
  readonly payload: Uint8Array
  readonly requestId: string
  readonly qualifier?: string
  /** The end of its log is wanted. */
  readonly logTail: boolean
  /** The caller's `X-Amzn-Trace-Id`. */
  readonly trace?: string
  /** Base64 of a JSON object. */
  readonly clientContext?: string
}

/** Runs a function once; its own failure is an answer. */
export type Invoke = (entry: FunctionEntry, call: InvokeCall) => Promise<InvokeReply>

/** AWS's limit of a synchronous payload. */
export const maxPayloadBytes = 6_291_456
/** And of one that waits. */
const maxEventBytes = 1_048_576
/** Deeper than any payload people write; shallow enough to be checked without harm. */
const maxPayloadDepth = 1_000

const invocationTypeShape = { type: 'string', values: ['Event', 'RequestResponse', 'DryRun'] } as const
const logTypeShape = { type: 'string', values: ['None', 'Tail'] } as const

/** Invoke, for tools that try a function by hand (reference 1.12). */
export function invokeRoutes(
  functions: FunctionCatalog,
  home: Home,
  invoke: Invoke,
  background: BackgroundCalls
): Route[] {
  return [
    {
      // IAM's name of it; the limit's error has it too.
      operation: 'InvokeFunction',
      method: 'POST',
      path: '/2015-03-31/functions/{FunctionName}/invocations',
      access: 'write',
      maxBodyBytes: maxPayloadBytes,
      handle: async call => {
        const { entry, qualifier } = functionOf(call, functions, home)
        const type = readOne(
          invocationTypeShape,
          call.header('x-amz-invocation-type') ?? 'RequestResponse',
          'InvocationType'
        )
        const logType = readOne(logTypeShape, call.header('x-amz-log-type') ?? 'None', 'LogType')
        const trace = xrayTrace(call.header('x-amzn-trace-id'))
        const clientContext = checkedContext(call.header('x-amz-client-context'))
        // Checked, then sent as it came.
        readJson(call.body, maxPayloadDepth)
        if (type === 'DryRun') return { status: 204 }
        const wanted: InvokeCall = {
          payload: call.body.byteLength === 0 ? new TextEncoder().encode('{}') : call.body,
          requestId: call.requestId,
          logTail: logType === 'Tail' && type === 'RequestResponse',
          ...(qualifier === undefined ? {} : { qualifier }),
          ...(trace === undefined ? {} : { trace }),
          ...(clientContext === undefined ? {} : { clientContext })
        }
        if (type === 'RequestResponse') return toReply(await invoke(entry, wanted), entry.name, qualifier)
        if (wanted.payload.byteLength > maxEventBytes)
          throw new MillraceError('MILL_BODY_TOO_LARGE', [maxEventBytes, 'InvokeFunction'])
        background.accept(entry, wanted)
        return { status: 202 }
      }
    }
  ]
}

function checkedContext(header: string | undefined): string | undefined {
  if (header === undefined || header === '' || clientContextJson(header) !== undefined) return header || undefined
  const wanted = `base64 of a JSON object, ${longestClientContext} characters at most`
  throw new MillraceError('MILL_PARAMETER_INVALID', [
    `X-Amz-Client-Context must be ${wanted}, got ${header.length} characters that are not.`
  ])
}

function toReply(reply: InvokeReply, name: string, qualifier: string | undefined): Reply {
  switch (reply.kind) {
    case 'returned':
      return {
        status: 200,
        headers: { 'x-amz-executed-version': reply.executedVersion ?? qualifier ?? '$LATEST', ...logHeader(reply) },
        body: { bytes: reply.payload }
      }
    case 'function-error':
      return functionError(reply.payload, reply.executedVersion ?? qualifier, logHeader(reply), reply.functionError)
    case 'timed-out': {
      // To the caller a time-out is an error of the function, as AWS words it.
      const errorMessage = `Task timed out after ${(reply.afterMs / 1000).toFixed(2)} seconds`
      const payload = JSON.stringify({ errorType: 'Sandbox.Timedout', errorMessage })
      return functionError(new TextEncoder().encode(payload), qualifier)
    }
    case 'throttled':
      throw new MillraceError('MILL_INVOKE_THROTTLED', [reply.message])
    case 'too-large':
      throw new MillraceError('MILL_BODY_TOO_LARGE', [maxPayloadBytes, 'InvokeFunction'])
    case 'unavailable':
      throw new MillraceError('MILL_INVOKE_FAILED', [name, reply.message])
    case 'aborted':
      throw new MillraceError('MILL_INVOKE_FAILED', [name, 'the call was ended'])
    default:
      throw new Error(`no answer for ${reply satisfies never}`)
  }
}

const functionError = (
  payload: Uint8Array,
  version: string | undefined,
  log: Readonly<Record<string, string>> = {},
  kind = 'Unhandled'
): Reply => ({
  status: 200,
  headers: { 'x-amz-function-error': kind, 'x-amz-executed-version': version ?? '$LATEST', ...log },
  body: { bytes: payload }
})

const logHeader = ({ logResult }: { readonly logResult?: string }): Readonly<Record<string, string>> =>
  logResult === undefined ? {} : { 'x-amz-log-result': logResult }
