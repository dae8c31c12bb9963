const masked = '****'

// `accessKeyId` names a key and is no secret; `secretAccessKey` and `x-amz-security-token` are.
const secretName = /secret|password|passwd|passphrase|token|authorization|cookie|api-?_?key|private-?_?key|keytab/i

/** How deep fields are looked into; what lies deeper is left out. */
const maxDepth = 6

/**
 * A copy of `fields` in which the values of fields that sound like a secret are masked, at any depth. Only plain objects and
 * lists are looked into: an error, a Buffer or any other instance stays what it is.
 */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, maxDepth)
}

function redactObject(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      secretName.test(name) && hides(value) ? masked : redactValue(value, depth)
    ])
  )
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '[deeper]'
  if (Array.isArray(value)) return value.map(item => redactValue(item, depth - 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = prototype === Object.prototype || prototype === null
  return plain ? redactObject(value as Record<string, unknown>, depth - 1) : value
}

/** A number or a truth (`tokenCount`, `hasPassword`) gives nothing away; nothing at all is worth seeing. */
const hides = (value: unknown): boolean => (typeof value === 'string' && value !== '') || typeof value === 'object'
