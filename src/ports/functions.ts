/** Where calls of a function go. Plain data: it crosses to a poller's thread. */
export interface FunctionTarget {
  readonly kind: 'http'
  /** Absolute URL that takes the event by POST. */
  readonly url: string
  /** Sent with every call; may hold a secret, so never logged. */
  readonly headers: Readonly<Record<string, string>>
  /** No answer in this time is a function error. */
  readonly timeoutMs: number
}

/** A function of the configuration, as the API describes it. */
export interface FunctionEntry {
  readonly name: string
  readonly arn: string
  /** `http`, `handler` (a local Node handler). */
  readonly kind: 'http' | 'handler'
  readonly timeoutSeconds: number
  readonly target: FunctionTarget
}

/** The functions that are known by name. */
export interface FunctionCatalog {
  find(name: string): FunctionEntry | undefined
  list(): readonly FunctionEntry[]
}
