import type { ValueType } from './value.ts'

/** One field inside a section of `millrace.yaml`. Parser and reference page read this. */
export interface Field {
  readonly type: ValueType
  /** Absent: the field may be missing, or must be given where `required`. */
  readonly default?: string | number
  readonly required?: true
  readonly doc: string
}

export type Fields = Readonly<Record<string, Field>>

const timeoutSeconds = {
  type: { kind: 'int', min: 1, max: 900 },
  default: 30,
  doc: 'No answer in this time is a function error.'
} as const satisfies Field

export const credentialFields = {
  accessKeyId: {
    type: { kind: 'pattern', pattern: /^\w{1,128}$/, wanted: 'letters, digits and _ (at most 128)' },
    required: true,
    doc: 'What a client calls aws_access_key_id.'
  },
  secretAccessKey: {
    type: { kind: 'secret' },
    doc: 'What a client calls aws_secret_access_key. This or secretAccessKeyFile must be there.'
  },
  secretAccessKeyFile: {
    type: { kind: 'path' },
    doc: 'A file that holds the secret instead, as secrets are mounted in containers. Relative to this file.'
  },
  sessionToken: {
    type: { kind: 'secret' },
    doc: 'When given, requests must carry it as aws_session_token. Otherwise any token is taken.'
  },
  access: {
    type: { kind: 'choice', values: ['read', 'write'] },
    default: 'write',
    doc: 'read: Get and List; write: everything.'
  }
} as const satisfies Fields

/** One access key may come from the environment; it stands beside those of the file, or in place of the one with its id. */
export const credentialVariables = {
  accessKeyId: 'MILLRACE_ACCESS_KEY_ID',
  secretAccessKey: 'MILLRACE_SECRET_ACCESS_KEY',
  sessionToken: 'MILLRACE_SESSION_TOKEN',
  access: 'MILLRACE_ACCESS'
} as const satisfies { readonly [K in keyof typeof credentialFields]?: string }

/** By the field that says which kind a function is. */
export const functionFields = {
  http: {
    http: { type: { kind: 'url' }, required: true, doc: 'URL that takes the event by POST.' },
    timeoutSeconds,
    headers: { type: { kind: 'texts' }, doc: 'Sent with every call.' }
  },
  handler: {
    handler: {
      type: {
        kind: 'pattern',
        pattern: /[^/\\.]\.[A-Za-z_$][\w$]*$/,
        wanted: 'FILE.EXPORT such as ./functions/orders.handler'
      },
      required: true,
      doc: 'File without its extension, a dot, and the exported function. Relative to this file.'
    },
    timeoutSeconds,
    concurrency: {
      type: { kind: 'int', min: 1, max: 1000 },
      default: 5,
      doc: 'Most processes of this function at a time.'
    },
    environment: { type: { kind: 'texts' }, doc: 'Added to the environment of its processes.' },
    memoryMiB: {
      type: { kind: 'int', min: 128, max: 10_240 },
      default: 128,
      doc: 'What the function is told it may use.'
    }
  }
} as const satisfies Record<string, Fields>

export const clusterFields = {
  plaintext: { type: { kind: 'brokers' }, required: true, doc: 'Brokers that take connections without TLS.' }
} as const satisfies Fields
