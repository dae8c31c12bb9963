import type { InvokeReply } from '../../core/retry/reply.ts'
import { readEmulated } from './emulator-reply.ts'
import { first, readRan, textOf, waitOf, type HttpAnswer } from './http-reply.ts'

/**
 * Says which reply an answer of AWS Lambda's Invoke is (reference 1.12 and 5.1). A status of success means that the function
 * ran, and a header whether it failed; any other means that nothing ran: throttled, too large, or for whatever reason not
 * possible at present. `name` is the function's in messages, `nowMs` (epoch) turns a date into a wait.
 */
export function readLambdaReply(answer: HttpAnswer, name: string, nowMs: number): InvokeReply {
  const { status, headers } = answer
  const emulated = readEmulated(answer)
  if (emulated !== undefined) return emulated
  if (status >= 200 && status <= 299) return readRan(answer)
  const error = readError(answer)
  const message = `AWS Lambda did not run ${name}: ${textOfError(status, error)}`
  if (status === 413) return { kind: 'too-large', message }
  const retryAfter = first(headers['retry-after'])
  if (status === 429 || (status === 503 && retryAfter !== undefined)) {
    const retryAfterMs = waitOf(retryAfter, nowMs)
    return { kind: 'throttled', message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  return { kind: 'unavailable', message }
}

/** An error as AWS's services word it. */
export interface AwsError {
  /** `AccessDeniedException`; absent: what answered is no service of AWS. */
  readonly type?: string
  readonly message: string
  /** Of a throttle. */
  readonly reason?: string
}

const maxText = 1_024

/** Reads header and body of an answer that is no success. */
export function readError({ headers, body }: HttpAnswer): AwsError {
  const text = textOf(body, 64 * 1_024)
  const parsed = parse(text)
  const named = first(headers['x-amzn-errortype']) ?? stringOf(parsed['__type']) ?? stringOf(parsed['code'])
  // `x-amzn-ErrorType: Name:http://…`, `__type: namespace#Name`.
  const type = named?.split(':')[0]?.split('#').at(-1)
  const message = stringOf(parsed['message']) ?? stringOf(parsed['Message']) ?? text.trim()
  const reason = stringOf(parsed['Reason'])
  return {
    ...(type === undefined || !/^\w{1,128}$/.test(type) ? {} : { type }),
    message: message.slice(0, maxText),
    ...(reason === undefined ? {} : { reason: reason.slice(0, 128) })
  }
}

function textOfError(status: number, { type, message, reason }: AwsError): string {
  const named = [String(status), type, reason === undefined ? undefined : `(${reason})`].filter(Boolean).join(' ')
  return message === '' ? named : `${named}: ${message}`
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>
  } catch {
    // An emulator's plain text, or a proxy's page: quoted as it came.
  }
  return {}
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
