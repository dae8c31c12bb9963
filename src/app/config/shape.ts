import type { Backoff } from '../../core/retry/backoff.ts'
import type { GroupProtocolChoice } from '../../ports/consumer.ts'
import type { AssumedRole, TlsFiles } from '../../ports/functions.ts'
import type { LogLevel } from '../../ports/log.ts'

/** Everything the program was told, checked and with defaults filled in. Plain data: composition reads it, nobody writes. */
export interface Config {
  /** The AWS Lambda API. Port 0: any free one. */
  readonly listen: Address
  /** Health, metrics, console. Port 0: any free one. */
  readonly adminListen: Address
  /** Absolute path; made when it does not exist. */
  readonly dataDir: string
  readonly store: { readonly kind: 'sqlite' }
  /** Of the ARNs Millrace makes. */
  readonly region: string
  /** Twelve digits. */
  readonly accountId: string
  readonly strictAws: boolean
  /** Fetched and unfinished records of the whole process. */
  readonly memoryBudgetMiB: number
  /** Data-plane threads; `auto` is already the number of cores. */
  readonly workers: number
  /** Empty: `serve` makes a key of its own. */
  readonly credentials: readonly Credential[]
  /** By bare function name. */
  readonly functions: Readonly<Record<string, FunctionConfig>>
  /** Names that are none of `functions` are functions at AWS Lambda; absent: they are refused. */
  readonly unknownFunctions?: 'lambda'
  /** What the environment says of AWS Lambda's address. */
  readonly lambdaEndpoint?: string
  /** By MSK ARN. */
  readonly clusters: Readonly<Record<string, ClusterConfig>>
  /** By secret ARN. */
  readonly secrets: Readonly<Record<string, SecretConfig>>
  /** Which brokers of MSK clusters are used. */
  readonly mskBrokers: 'vpc' | 'public' | 'ipv6'
  /** Mappings may ask for SASL without TLS. */
  readonly allowSaslPlaintext: boolean
  /** Ranges of addresses that nothing is connected to which a mapping, a cluster or the configuration names. */
  readonly refusedAddresses: readonly string[]
  /** Whether those of metadata services are not among them. */
  readonly allowMetadataAddresses: boolean
  readonly groupProtocol: GroupProtocolChoice
  /** Members of classic groups that were not heard of for so long are taken for dead. */
  readonly groupSessionMs: number
  /** This node's among the nodes of a cluster, for static members; empty: members are not static. */
  readonly groupInstanceId: string
  /** Where this node is, as brokers name their racks; empty: leaders are read from. */
  readonly clientRack: string
  /** Absolute path; made when it is first needed. */
  readonly destinationDir: string
  /** Pauses between tries. */
  readonly backoff: Backoff
  /** Most filters of a mapping. */
  readonly maxFilters: number
  readonly logLevel: LogLevel
  /** How long a stop waits for batches in flight. */
  readonly graceMs: number
  /** Absolute path relative handlers start from: the configuration file's directory, else the working directory. */
  readonly baseDir: string
}

export interface Address {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

export interface Credential {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly access: 'read' | 'write'
  /** Requests must carry it; absent: any token is taken. */
  readonly sessionToken?: string
}

export type FunctionConfig = HttpFunctionConfig | LambdaFunctionConfig | HandlerFunctionConfig | CommandFunctionConfig

/** A function behind an HTTP endpoint. */
export interface HttpFunctionConfig {
  readonly kind: 'http'
  /** Absolute http or https URL. */
  readonly url: string
  readonly timeoutSeconds: number
  /** Sent with every call; may hold a secret, so never logged. */
  readonly headers: Readonly<Record<string, string>>
  /** Absolute paths. */
  readonly tls?: TlsFiles
  readonly http2?: boolean
  readonly compress?: 'gzip'
  /** Most calls at a time; absent: no limit. */
  readonly concurrency?: number
}

/** A function at AWS Lambda, or at anything that speaks its Invoke. */
export interface LambdaFunctionConfig {
  readonly kind: 'lambda'
  /** Name or ARN as written, a qualifier included. */
  readonly lambda: string
  /** Absent: that of the environment, else AWS. */
  readonly endpoint?: string
  readonly timeoutSeconds: number
  readonly signed: boolean
  readonly role?: AssumedRole
  /** Most calls at a time; absent: no limit. */
  readonly concurrency?: number
}

/** What every function has that runs in child processes of ours. */
interface LocalFunctionConfig {
  /** Absolute: the processes' working directory; absent: `Config.baseDir`. */
  readonly directory?: string
  readonly timeoutSeconds: number
  /** Most child processes at a time. */
  readonly concurrency: number
  /** Added to the child's environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly memoryMiB: number
  readonly reload: boolean
}

/** A Node or Python handler that Millrace runs. */
export interface HandlerFunctionConfig extends LocalFunctionConfig {
  readonly kind: 'handler'
  /** `path/to/file.export` as written; relative to `directory`. */
  readonly handler: string
  /** Absent: what the file asks for. */
  readonly runtime?: 'node' | 'python'
}

/** Any program that speaks the Lambda Runtime API. */
export interface CommandFunctionConfig extends LocalFunctionConfig {
  readonly kind: 'command'
  /** Program and arguments as written; a path is relative to `Config.baseDir`, whatever `directory` says. */
  readonly command: readonly string[]
  readonly handler: string
}

/** `host:port` of brokers by how they are reached; at least one. */
export interface ClusterConfig {
  readonly plaintext?: readonly string[]
  readonly tls?: readonly string[]
  readonly saslScram?: readonly string[]
  readonly saslIam?: readonly string[]
  /** Absolute path of a PEM file with the authorities to trust them by. */
  readonly rootCa?: string
}

/** Where a secret is that AWS need not be asked for; the path is absolute. */
export type SecretConfig =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'environment'; readonly variable: string }

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[]
export const groupProtocolChoices = ['auto', 'classic', 'consumer'] as const satisfies readonly GroupProtocolChoice[]
export type { LogLevel }
