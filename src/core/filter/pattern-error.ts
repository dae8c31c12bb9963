/** A pattern that cannot be used. What callers of the API read is AWS's one sentence; this is for the log and the command line. */
export class PatternError extends Error {
  /** The place in the pattern, such as `value.price[0].numeric`; empty for the pattern as a whole. */
  readonly path: string
  /** What is wrong there, and what would do. */
  readonly reason: string

  constructor(path: string, reason: string) {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.name = 'PatternError'
    this.path = path
    this.reason = reason
  }
}
