import { STATUS_CODES } from 'node:http'
import type { InvokeReply, ReplyContext } from '../../core/retry/reply.ts'

/** Largest answer of a function, in bytes: Lambda's 6 MB and its margin. */
export const maxAnswerBytes = 6_291_556

/** What a server answered, whole. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/** Says which reply an HTTP answer is. `host` names the function in messages; `nowMs` (epoch) turns a date into a wait. */
export function readHttpReply({ status, headers, body }: HttpAnswer, host: string, nowMs: number): InvokeReply {
  const said = () => `${host} answered ${status}${reason(status)}${quote(body)}`
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) {
    const retryAfterMs = waitOf(first(headers['retry-after']), nowMs)
    return { kind: 'throttled', message: said(), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  if (status === 502 || status === 503 || status === 504) return { kind: 'unavailable', message: said() }
  if (status === 413) return { kind: 'too-large', message: said() }
  if (status >= 200 && status <= 299) return readRan({ status, headers, body })
  const functionError = first(headers['x-amz-function-error'])
  const context = contextOf(status, headers)
  return functionError === undefined
    ? { kind: 'function-error', errorType: `Http.${status}`, errorMessage: said(), payload: body, ...context }
    : { kind: 'function-error', ...errorOf(body, functionError), functionError, payload: body, ...context }
}

/** The answer of a function that ran, as AWS Lambda words it: whatever `X-Amz-Function-Error` marks is its failure. */
export function readRan({ status, headers, body }: HttpAnswer): InvokeReply {
  const functionError = first(headers['x-amz-function-error'])
  const context = contextOf(status, headers)
  return functionError === undefined
    ? { kind: 'returned', payload: body, ...context }
    : { kind: 'function-error', ...errorOf(body, functionError), functionError, payload: body, ...context }
}

function contextOf(statusCode: number, headers: HttpAnswer['headers']): ReplyContext {
  const executedVersion = first(headers['x-amz-executed-version'])
  const hostRequestId = first(headers['x-amzn-requestid'])
  const logResult = first(headers['x-amz-log-result'])
  return {
    statusCode,
    ...(executedVersion === undefined ? {} : { executedVersion }),
    ...(hostRequestId === undefined ? {} : { hostRequestId }),
    // It goes on into a header of ours: what is no base64 is left out.
    ...(logResult !== undefined && /^[A-Za-z0-9+/]{0,8192}={0,2}$/.test(logResult) ? { logResult } : {})
  }
}

/** What Lambda says of an answer beyond `maxAnswerBytes`. */
export const answerTooLarge = {
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: `Response payload size exceeded maximum allowed payload size (${maxAnswerBytes} bytes).`
} as const

/** For an answer of which more than `maxAnswerBytes` came. */
export function readTooLarge(status: number, headers: HttpAnswer['headers']): InvokeReply {
  const payload = Buffer.from(JSON.stringify(answerTooLarge))
  return {
    kind: 'function-error',
    ...answerTooLarge,
    functionError: 'Unhandled',
    payload,
    ...contextOf(status, headers)
  }
}

/** Texts of foreign making end up in logs and in LastProcessingResult: enough to know the fault, no more. */
const maxErrorText = 2_048
const maxQuote = 256
/** A longer wait asked for is taken as this: the longest a function runs. */
const maxWaitMs = 900_000

/** Runtimes send `{errorType, errorMessage}`; what is not so is quoted as it came. */
function errorOf(body: Uint8Array, header: string): { errorType: string; errorMessage: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(textOf(body, body.byteLength))
  } catch {
    // Not JSON: quoted below.
  }
  const { errorType, errorMessage } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as {
    errorType?: unknown
    errorMessage?: unknown
  }
  return {
    errorType: typeof errorType === 'string' && errorType !== '' ? errorType.slice(0, maxQuote) : header,
    errorMessage:
      typeof errorMessage === 'string' ? errorMessage.slice(0, maxErrorText) : textOf(body, maxErrorText).trim()
  }
}

/** How long `Retry-After` asks to wait, in ms: seconds or an HTTP date (RFC 9110, 10.2.3). */
export function waitOf(retryAfter: string | undefined, nowMs: number): number | undefined {
  if (retryAfter === undefined) return undefined
  const waitMs = /^\s*\d+\s*$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), maxWaitMs)
}

function reason(status: number): string {
  const text = STATUS_CODES[status]
  return text === undefined ? '' : ` ${text}`
}

function quote(body: Uint8Array): string {
  const text = textOf(body, maxQuote).trim()
  return text === '' ? '' : `: ${text}`
}

export function textOf(body: Uint8Array, maxBytes: number): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, maxBytes)).toString('utf8')
}

export const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value
