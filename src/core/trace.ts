/**
 * A `traceparent` of W3C Trace Context for one call: the trace is the call's request id, so that logs and traces find each
 * other. `span`: 16 hexadecimal digits of chance, not all zero. Undefined when the request id is no UUID.
 */
export function traceParent(requestId: string, span: string): string | undefined {
  const trace = requestId.replaceAll('-', '').toLowerCase()
  return /^(?!0{32})[0-9a-f]{32}$/.test(trace) ? `00-${trace}-${span}-01` : undefined
}
