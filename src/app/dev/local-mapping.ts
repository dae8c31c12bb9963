import { MillraceError } from '../../core/errors.ts'
import { parseDestination } from '../../core/destination/target.ts'
import { parseCreate, type NewMapping, type ParseRules } from '../../core/mapping/parse.ts'

/** The body of CreateEventSourceMapping. */
export type Body = Readonly<Record<string, unknown>>

export interface LocalRules extends ParseRules {
  /** MSK ARNs that the configuration has under `clusters`: those are reached as it says. */
  readonly configured: (arn: string) => boolean
  /** Whether what answers for AWS would take what is delivered to the ARN of a queue, a topic or a bucket. */
  readonly reachable: (arn: string) => boolean
  /** As people write it: `127.0.0.1:9092`, `the embedded broker`. */
  readonly brokerName: string
}

export interface LocalMapping {
  /** For messages. */
  readonly place: string
  readonly parsed: NewMapping
  /** What is created; the broker of `dev` is added by `bodyFor`. */
  readonly body: Body
  /** MSK clusters for which the broker of `dev` stands. */
  readonly stoodFor?: string
  /** It reads from the broker of `dev`. */
  readonly onBroker: boolean
  readonly notes: readonly string[]
}

/** Members that say how AWS runs a mapping, and nothing of what it does with records. */
const awsOnly = ['ProvisionedPollerConfig', 'MetricsConfig', 'LoggingConfig', 'KMSKeyArn'] as const
const somewhere = { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9092'] } }

/**
 * A mapping as it can run on this machine: on the broker of `dev`, without a login, with failures in a file where nobody answers
 * for AWS. Whatever differs from what was written is a note. Throws `MILL_DEV_MAPPING`.
 */
export function localMapping(written: Body, place: string, rules: LocalRules): LocalMapping {
  const notes: string[] = []
  const note = (text: string) => notes.push(text)
  const source = localSource(written, rules, note)
  const body: Record<string, unknown> = { ...written, ...source.changes }
  for (const member of awsOnly) {
    if (body[member] === undefined || body[member] === null || body[member] === '') continue
    delete body[member]
    note(`${member} of ${place} is left out: it means nothing here`)
  }
  for (const [name, value] of Object.entries(body)) if (value === undefined || value === null) delete body[name]
  const withSource = source.onBroker && source.arn === undefined ? { ...body, SelfManagedEventSource: somewhere } : body
  try {
    parseCreate(asWritten(written), rules, Date.now())
    body['DestinationConfig'] = localDestination(withSource, rules, note)
    if (body['DestinationConfig'] === undefined) delete body['DestinationConfig']
    const parsed = parseCreate(
      { ...withSource, ...pick(body, 'DestinationConfig') },
      { ...rules, strictAws: false },
      Date.now()
    )
    return {
      place,
      parsed,
      body,
      onBroker: source.onBroker,
      notes,
      ...(source.onBroker && source.arn !== undefined ? { stoodFor: source.arn } : {})
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const cause = error.cause instanceof Error ? ` ${error.cause.message}` : ''
    throw new MillraceError('MILL_DEV_MAPPING', [place, `${error.message}${cause}`], { cause: error })
  }

  /** What is left out here must be right all the same: it goes to AWS as it is. */
  function asWritten(given: Body): Body {
    const hasSource = given['EventSourceArn'] !== undefined || given['SelfManagedEventSource'] !== undefined
    const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !awsOnly.some(each => each === name)))
    return hasSource ? rest : { ...rest, SelfManagedEventSource: somewhere }
  }
}

/** The body that is sent, once the broker of `dev` is known. */
export function bodyFor({ body, onBroker, stoodFor }: LocalMapping, bootstrap: readonly string[]): Body {
  return onBroker && stoodFor === undefined
    ? { ...body, SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: bootstrap } } }
    : body
}

interface LocalSource {
  readonly arn?: string
  readonly onBroker: boolean
  readonly changes: Readonly<Record<string, undefined>>
}

function localSource(written: Body, { configured, brokerName }: LocalRules, note: (text: string) => void): LocalSource {
  const arn = written['EventSourceArn']
  if (typeof arn === 'string') {
    if (configured(arn)) {
      note(`${arn} is reached as "clusters" of millrace.yaml says`)
      return { arn, onBroker: false, changes: {} }
    }
    note(`${arn} is ${brokerName} here`)
    return { arn, onBroker: true, changes: withoutLogin(written, note) }
  }
  const endpoints = (written['SelfManagedEventSource'] as { Endpoints?: Record<string, unknown> } | undefined)
    ?.Endpoints
  const servers = endpoints?.['KAFKA_BOOTSTRAP_SERVERS']
  if (Array.isArray(servers)) note(`${servers.join(',')} is ${brokerName} here`)
  return { onBroker: true, changes: { ...withoutLogin(written, note), SelfManagedEventSource: undefined } }
}

function withoutLogin(written: Body, note: (text: string) => void): Readonly<Record<string, undefined>> {
  const access = written['SourceAccessConfigurations']
  if (!Array.isArray(access) || access.length === 0) return {}
  const types = access.map((each: { Type?: unknown } | null) => String(each?.Type))
  note(`SourceAccessConfigurations (${types.join(', ')}) are left out: the broker is reached without a login`)
  return { SourceAccessConfigurations: undefined }
}

/** Failures for AWS go to a file when nobody answers for AWS. */
function localDestination(body: Body, { reachable }: LocalRules, note: (text: string) => void): unknown {
  const given = body['DestinationConfig'] as { OnFailure?: { Destination?: unknown } } | undefined
  const text = given?.OnFailure?.Destination
  if (typeof text !== 'string' || text === '') return given
  const target = parseDestination(text, { sourceTopic: '', strictAws: false, provisioned: true })
  if (target.kind === 'kafka' || target.kind === 'file') return given
  if (reachable(text)) {
    note(`failures go to ${text} itself, by the credentials or the endpoint of AWS in the environment`)
    return given
  }
  const name = `${target.kind}-${text.slice(text.lastIndexOf(':') + 1)}.jsonl`
  note(`${text} is the file ${name} in the folder for destinations here`)
  return { OnFailure: { Destination: `file:${name}` } }
}

const pick = (body: Body, name: string): Body => (body[name] === undefined ? {} : { [name]: body[name] })
