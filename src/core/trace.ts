/**
 * A `traceparent` of W3C Trace Context for one call: the trace is the call's request id, so that logs and traces find each
 * other. `span`: 16 hexadecimal digits of chance, not all zero. Undefined when the request id is no UUID.
 */
export function traceParent(requestId: string, span: string): string | undefined {
  const trace = requestId.replaceAll('-', '').toLowerCase()
  return /^(?!0{32})[0-9a-f]{32}$/.test(trace) ? `00-${trace}-${span}-01` : undefined
}

/** A caller's `X-Amzn-Trace-Id` as it may be handed on; malformed ones count as none. */
export const xrayTrace = (header: string | undefined): string | undefined =>
  header !== undefined && /^Root=1-[\da-f]{8}-[\da-f]{24}[\w=;:|.-]{0,400}$/i.test(header) ? header : undefined

/** A `traceparent` in X-Ray's words. */
export function xrayOf(traceparent: string | undefined): string | undefined {
  const parts = /^[\da-f]{2}-(?<trace>[\da-f]{32})-(?<parent>[\da-f]{16})-(?<flags>[\da-f]{2})/.exec(traceparent ?? '')
  if (parts === null) return undefined
  const { trace = '', parent = '', flags = '' } = parts.groups ?? {}
  return `Root=1-${trace.slice(0, 8)}-${trace.slice(8)};Parent=${parent};Sampled=${parseInt(flags, 16) & 1}`
}

/** The trace of X-Ray's header as a `traceparent`; `span` stands in where the header names no parent. */
export function traceParentOf(xray: string, span: string): string | undefined {
  const [, trace] = /^Root=1-([\da-f]{8}-[\da-f]{24})/i.exec(xray) ?? []
  const [, parent = span] = /;Parent=([\da-f]{16})(?:;|$)/i.exec(xray) ?? []
  const id = traceParent(trace?.replaceAll('-', '') ?? '', parent.toLowerCase())
  return /;Sampled=1(?:;|$)/.test(xray) ? id : id?.replace(/01$/, '00')
}
