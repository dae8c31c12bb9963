import type { InvokeReply } from '../../core/retry/reply.ts'
import { readRan, textOf, type HttpAnswer } from './http-reply.ts'

/** More than any runtime writes of an error; a longer answer is a result. */
const maxErrorBytes = 262_144
const timedOut = /^Task timed out after \d+\.00 seconds$/

/**
 * The failure of a function under the Runtime Interface Emulator; undefined: the answer is none, and means what it would mean at AWS.
 * That emulator marks neither the version that ran nor a failure
 * (https://github.com/aws/aws-lambda-runtime-interface-emulator/issues/20): an error comes as a result, with status 200, or 502 when
 * the process ended, and a timeout as a sentence. Taken for results, records would be settled that no function ever finished. AWS
 * and emulators that go by its API name the version or the request, so nothing of theirs is looked into.
 */
export function readEmulated(answer: HttpAnswer): InvokeReply | undefined {
  const { status, headers, body } = answer
  if (status !== 200 && status !== 502) return undefined
  if (marks.some(name => headers[name] !== undefined) || body.byteLength > maxErrorBytes) return undefined
  const text = textOf(body, maxErrorBytes)
  if (timedOut.test(text)) {
    const error = { errorType: 'Sandbox.Timedout', errorMessage: text }
    return readRan(asError(answer, Buffer.from(JSON.stringify(error))))
  }
  return isError(text) ? readRan(asError(answer, body)) : undefined
}

const marks = ['x-amz-executed-version', 'x-amzn-requestid', 'x-amzn-errortype', 'x-amz-function-error'] as const

const asError = ({ headers }: HttpAnswer, body: Uint8Array): HttpAnswer => ({
  status: 200,
  headers: { ...headers, 'x-amz-function-error': 'Unhandled' },
  body
})

/** As every runtime words one: both members, texts. */
function isError(text: string): boolean {
  if (!text.includes('"errorType"') || !text.includes('"errorMessage"')) return false
  try {
    const { errorType, errorMessage } = JSON.parse(text) as { errorType?: unknown; errorMessage?: unknown }
    return typeof errorType === 'string' && typeof errorMessage === 'string'
  } catch {
    return false
  }
}
