import { MillraceError } from '../../core/errors.ts'
import type { Home } from '../../core/mapping/function-name.ts'
import type { InvokeReply } from '../../core/retry/reply.ts'
import type { FunctionCatalog, FunctionEntry } from '../../ports/functions.ts'
import type { Reply } from '../reply.ts'
import type { Call, Route } from '../router.ts'
import { readJson } from './body.ts'
import { functionOf } from './functions.ts'

/** Runs a function once with this payload; its own failure is an answer. */
export type Invoke = (entry: FunctionEntry, payload: Uint8Array, qualifier: string | undefined) => Promise<InvokeReply>

/** AWS's limit of a synchronous payload. */
export const maxPayloadBytes = 6_291_456

/** Invoke, for tools that try a function by hand (reference 1.12). */
export function invokeRoutes(functions: FunctionCatalog, home: Home, invoke: Invoke): Route[] {
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
        const dryRun = isDryRun(call)
        // Checked, then sent as it came.
        readJson(call.body)
        if (dryRun) return { status: 204 }
        const payload = call.body.byteLength === 0 ? new TextEncoder().encode('{}') : call.body
        return toReply(await invoke(entry, payload, qualifier), entry.name, qualifier)
      }
    }
  ]
}

function isDryRun(call: Call): boolean {
  const type = call.header('x-amz-invocation-type') ?? 'RequestResponse'
  if (type === 'Event') throw new MillraceError('MILL_PARAMETER_NOT_BUILT', ['InvocationType Event'])
  if (type !== 'RequestResponse' && type !== 'DryRun')
    throw new MillraceError('MILL_PARAMETER_INVALID', [
      `InvocationType must be RequestResponse or DryRun, got ${type}.`
    ])
  return type === 'DryRun'
}

function toReply(reply: InvokeReply, name: string, qualifier: string | undefined): Reply {
  switch (reply.kind) {
    case 'returned':
      return {
        status: 200,
        headers: { 'x-amz-executed-version': reply.executedVersion ?? qualifier ?? '$LATEST' },
        body: { bytes: reply.payload }
      }
    case 'function-error':
      return functionError(reply.payload, qualifier)
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

const functionError = (payload: Uint8Array, qualifier: string | undefined): Reply => ({
  status: 200,
  headers: { 'x-amz-function-error': 'Unhandled', 'x-amz-executed-version': qualifier ?? '$LATEST' },
  body: { bytes: payload }
})
