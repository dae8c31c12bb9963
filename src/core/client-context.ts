/** AWS's limit of the header, in characters of base64. */
export const longestClientContext = 3_583

/**
 * The JSON of a client context as a header may carry it, in ASCII. `header`: base64 of a JSON object. Undefined when it is
 * anything else.
 */
export function clientContextJson(header: string): string | undefined {
  if (header.length > longestClientContext || !/^[\w+/-]+={0,2}$/.test(header)) return undefined
  try {
    const context = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as unknown
    if (typeof context !== 'object' || context === null || Array.isArray(context)) return undefined
    // Only texts can hold what is escaped here, and in texts the escape means the same.
    return JSON.stringify(context).replaceAll(
      /[^\x20-\x7e]/g,
      char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
    )
  } catch {
    return undefined
  }
}
