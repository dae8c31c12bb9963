import type { AssumedRole } from '../core/mapping/assumed-role.ts'

export type { AssumedRole } from '../core/mapping/assumed-role.ts'

/** Where calls of a function go. Plain data: it crosses to a poller's thread. */
export type FunctionTarget = HttpTarget | LambdaTarget

interface AnyTarget {
  /** No answer in this time is a function error. */
  readonly timeoutMs: number
  /** Most calls at a time, of all pollers of this process together: see `CallPermits`. Absent: no limit. */
  readonly permits?: SharedArrayBuffer
}

/** An endpoint that takes the event by POST. */
export interface HttpTarget extends AnyTarget {
  readonly kind: 'http'
  /** Absolute URL. */
  readonly url: string
  /** Sent with every call; may hold a secret, so never logged. */
  readonly headers: Readonly<Record<string, string>>
  /** Of an https URL; absent: the authorities that Node trusts, and no certificate of our own. */
  readonly tls?: TlsFiles
  /** Offer HTTP/2 in the TLS handshake. */
  readonly http2?: boolean
  /** Send events compressed, but for those too small to gain by it. */
  readonly compress?: 'gzip'
  /** Offered by this process: no refused range of addresses keeps us from it. */
  readonly isOwn?: true
}

/** PEM files by absolute path, read when connections are first made. */
export interface TlsFiles {
  /** Authorities to trust in place of Node's. */
  readonly caFile?: string
  /** Our own certificate and its key; both or neither. */
  readonly certFile?: string
  readonly keyFile?: string
}

/** AWS Lambda's Invoke, or anything that speaks it. */
export interface LambdaTarget extends AnyTarget {
  readonly kind: 'lambda'
  /** As the path of the request has it: a bare name, or an ARN without qualifier. */
  readonly functionName: string
  /** Version or alias to call where the mapping names none. */
  readonly qualifier?: string
  /** That requests are signed for. */
  readonly region: string
  /** Absolute URL. */
  readonly endpoint: string
  /** False: requests go unsigned, to an emulator that knows no credentials. */
  readonly signed: boolean
  /** Assumed for the calls; absent: that of the mapping, if it names one. */
  readonly role?: AssumedRole
}

/** A function that is known by name, as the API describes it. */
export interface FunctionEntry {
  readonly name: string
  /** Without qualifier. */
  readonly arn: string
  /** `http` an endpoint, `handler` a local handler, `command` a local program, `lambda` AWS Lambda. */
  readonly kind: 'http' | 'handler' | 'command' | 'lambda'
  readonly timeoutSeconds: number
  readonly target: FunctionTarget
  /**
   * Asks where the function lives what it is, in `role` where the function has none of its own. Absent: nobody knows more than
   * this entry. Rejects with `MILL_FUNCTION_NOT_FOUND` when there is none, with `MILL_AWS_…` or `MILL_ROLE_REFUSED` when nobody
   * could be asked.
   */
  readonly inspect?: (qualifier: string | undefined, role?: AssumedRole) => Promise<FunctionFacts>
}

/** What the function's host says of it; nothing of what we may not ask. */
export interface FunctionFacts {
  readonly timeoutSeconds?: number
  readonly memoryMiB?: number
  readonly version?: string
}

/** The functions that are known by name. */
export interface FunctionCatalog {
  /** `arn`: of the account and region that were written with the name, when any were. Asks nobody. */
  find(name: string, arn?: string): FunctionEntry | undefined
  list(): readonly FunctionEntry[]
}
