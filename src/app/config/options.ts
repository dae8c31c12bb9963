import { groupProtocolChoices, logLevels } from './shape.ts'
import type { ValueType } from './value.ts'

/** One option that is a single value. Parser, command-line help and the reference page read this and nothing else. */
export interface Option {
  readonly type: ValueType
  readonly default: string | number | boolean
  /** Environment variables, the stronger first. An empty one counts as not set, as in AWS's own tools. */
  readonly env: readonly string[]
  /** Absent: not on the command line. */
  readonly flag?: { readonly name: string; readonly value: string }
  readonly doc: string
}

/** Keys as in `millrace.yaml`. */
export const options = {
  listen: {
    type: { kind: 'address' },
    default: '127.0.0.1:4577',
    env: ['MILLRACE_LISTEN'],
    flag: { name: '--listen', value: 'HOST:PORT' },
    doc: 'Where the AWS Lambda API answers.'
  },
  adminListen: {
    type: { kind: 'address' },
    default: '127.0.0.1:4578',
    env: ['MILLRACE_ADMIN_LISTEN'],
    flag: { name: '--admin-listen', value: 'HOST:PORT' },
    doc: 'Where health and other endpoints for operators answer.'
  },
  dataDir: {
    type: { kind: 'path' },
    default: '.millrace',
    env: ['MILLRACE_DATA_DIR'],
    flag: { name: '--data-dir', value: 'DIR' },
    doc: 'Mappings and the generated access key are kept here.'
  },
  store: {
    type: { kind: 'store' },
    default: 'sqlite',
    env: ['MILLRACE_STORE'],
    doc: 'What keeps the mappings: sqlite, a file in the data directory.'
  },
  region: {
    type: { kind: 'pattern', pattern: /^[a-z]{2,}(-[a-z]+)+-\d+$/, wanted: 'an AWS region such as us-east-1' },
    default: 'us-east-1',
    env: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    doc: 'Region in the ARNs that Millrace makes.'
  },
  accountId: {
    type: { kind: 'pattern', pattern: /^\d{12}$/, wanted: 'twelve digits in quotes' },
    default: '000000000000',
    env: ['MILLRACE_ACCOUNT_ID'],
    doc: 'Account in the ARNs that Millrace makes.'
  },
  strictAws: {
    type: { kind: 'boolean' },
    default: false,
    env: ['MILLRACE_STRICT_AWS'],
    doc: 'Refuse whatever AWS refuses, and offer nothing beyond it.'
  },
  memoryBudgetMiB: {
    type: { kind: 'int', min: 16, max: 1_048_576 },
    default: 256,
    env: ['MILLRACE_MEMORY_BUDGET_MIB'],
    doc: 'Fetched and unfinished records, and events that are out, of the whole process, in MiB.'
  },
  workers: {
    type: { kind: 'int-or-auto', min: 1, max: 256 },
    default: 'auto',
    env: ['MILLRACE_WORKERS'],
    flag: { name: '--workers', value: 'N' },
    doc: 'Threads that move records; auto: as many as cores.'
  },
  mskBrokers: {
    type: { kind: 'choice', values: ['vpc', 'public', 'ipv6'] },
    default: 'vpc',
    env: ['MILLRACE_MSK_BROKERS'],
    doc: 'Which brokers of an MSK cluster are used; those of VPC connections are used for VPC connections in any case.'
  },
  allowSaslPlaintext: {
    type: { kind: 'boolean' },
    default: false,
    env: ['MILLRACE_ALLOW_SASL_PLAINTEXT'],
    doc: 'Let mappings with the tag millrace:sasl-plaintext send names and passwords without TLS.'
  },
  refusedAddresses: {
    type: { kind: 'ranges' },
    default: 'none',
    env: ['MILLRACE_REFUSED_ADDRESSES'],
    doc: 'Ranges of IP addresses that brokers, HTTP functions and token endpoints must not have, beside those of metadata services. Checked when connections are made.'
  },
  allowMetadataAddresses: {
    type: { kind: 'boolean' },
    default: false,
    env: ['MILLRACE_ALLOW_METADATA_ADDRESSES'],
    doc: "Let brokers, HTTP functions and token endpoints have link-local addresses, where clouds answer with the machine's own credentials."
  },
  groupProtocol: {
    type: { kind: 'choice', values: groupProtocolChoices },
    default: 'auto',
    env: ['MILLRACE_GROUP_PROTOCOL'],
    doc: "How consumer groups are formed; auto: Kafka's newer protocol (KIP-848) where the brokers offer it."
  },
  groupSessionSeconds: {
    type: { kind: 'int', min: 1, max: 1800 },
    default: 45,
    env: ['MILLRACE_GROUP_SESSION_SECONDS'],
    doc: "A node that was not heard of for so long has died: its group gives its partitions to others. Brokers set the limits of it, and all of it in Kafka's newer group protocol."
  },
  groupInstanceId: {
    type: {
      kind: 'pattern',
      pattern: /^[A-Za-z0-9._-]{1,200}$/,
      wanted: 'none or a name of at most 200 letters, digits, ".", "_" and "-"'
    },
    default: 'none',
    env: ['MILLRACE_GROUP_INSTANCE_ID'],
    doc: 'A name that no other node has: a restart of this node within the session then rebalances nothing.'
  },
  destinationDir: {
    type: { kind: 'path' },
    default: 'auto',
    env: ['MILLRACE_DESTINATION_DIR'],
    doc: 'The files of file: destinations are here; auto: destinations in the data directory.'
  },
  retryBaseMs: {
    type: { kind: 'int', min: 10, max: 60_000 },
    default: 500,
    env: ['MILLRACE_RETRY_BASE_MS'],
    doc: 'The longest first pause before a failed batch is tried again; each further one may be twice as long. The pause itself is drawn below it.'
  },
  retryCapMs: {
    type: { kind: 'int', min: 10, max: 3_600_000 },
    default: 60_000,
    env: ['MILLRACE_RETRY_CAP_MS'],
    doc: 'Pauses grow to this at most.'
  },
  throttleCapMs: {
    type: { kind: 'int', min: 10, max: 3_600_000 },
    default: 15_000,
    env: ['MILLRACE_THROTTLE_CAP_MS'],
    doc: 'Pauses after a throttled call grow to this at most, unless the function asks for more.'
  },
  maxFilters: {
    type: { kind: 'int', min: 5, max: 20 },
    default: 5,
    env: ['MILLRACE_MAX_FILTERS'],
    doc: 'Most filters of a mapping. AWS: 5, up to 10 on request.'
  },
  unknownFunctions: {
    type: { kind: 'choice', values: ['auto', 'lambda', 'refuse'] },
    default: 'auto',
    env: ['MILLRACE_UNKNOWN_FUNCTIONS'],
    doc: 'What becomes of function names that are not under functions. lambda: they are called at AWS Lambda; auto: so where the environment or the files of the AWS CLI have credentials; a machine whose role alone has them needs lambda.'
  },
  clientRack: {
    type: {
      kind: 'pattern',
      pattern: /^[\x21-\x7e]{1,200}$/,
      wanted:
        'none or the name of a rack or availability zone, as the brokers have it in broker.rack, at most 200 characters'
    },
    default: 'none',
    env: ['MILLRACE_CLIENT_RACK'],
    doc: 'Where this node is: replicas in the same rack or zone are read from, where the brokers offer it (KIP-392).'
  },
  logLevel: {
    type: { kind: 'choice', values: logLevels },
    default: 'info',
    env: ['MILLRACE_LOG_LEVEL'],
    flag: { name: '--log-level', value: 'LEVEL' },
    doc: 'The least that is logged.'
  },
  graceSeconds: {
    type: { kind: 'int', min: 0, max: 900 },
    default: 30,
    env: ['MILLRACE_GRACE_SECONDS'],
    flag: { name: '--grace', value: 'SECONDS' },
    doc: 'How long a stop waits for batches in flight.'
  }
} as const satisfies Record<string, Option>

export type OptionKey = keyof typeof options
export const optionKeys = Object.keys(options) as OptionKey[]
