import { STATUS_CODES } from 'node:http'
import type { InvokeReply } from '../../core/retry/reply.ts'

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
  const functionError = first(headers['x-amz-function-error'])
  const logResult = first(headers['x-amz-log-result'])
  // It goes on into a header of ours: what is no base64 is left out.
  const log = logResult !== undefined && /^[A-Za-z0-9+/]{0,8192}={0,2}$/.test(logResult) ? { logResult } : {}
  if (functionError !== undefined)
    return { kind: 'function-error', ...errorOf(body, functionError), payload: body, ...log }
  if (status < 200 || status > 299) {
    return { kind: 'function-error', errorType: `Http.${status}`, errorMessage: said(), payload: body }
  }
  const executedVersion = first(headers['x-amz-executed-version'])
  return { kind: 'returned', payload: body, ...(executedVersion === undefined ? {} : { executedVersion }), ...log }
}

/** What Lambda says of an answer beyond `maxAnswerBytes`. */
export const answerTooLarge = {
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: `Response payload size exceeded maximum allowed payload size (${maxAnswerBytes} bytes).`
} as const

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

/** Seconds or an HTTP date (RFC 9110, 10.2.3). */
function waitOf(retryAfter: string | undefined, nowMs: number): number | undefined {
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

function textOf(body: Uint8Array, maxBytes: number): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, maxBytes)).toString('utf8')
}

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)
