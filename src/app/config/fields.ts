import type { ValueType } from './value.ts'

/** One field inside a section of `millrace.yaml`. Parser and reference page read this. */
export interface Field {
  readonly type: ValueType
  /** Absent: the field may be missing, or must be given where `required`. */
  readonly default?: string | number | boolean
  readonly required?: true
  readonly doc: string
}

export type Fields = Readonly<Record<string, Field>>

const timeoutSeconds = {
  type: { kind: 'int', min: 1, max: 900 },
  default: 30,
  doc: 'No answer in this time is a function error.'
} as const satisfies Field

/** Most calls at a time, where others decide how many processes or instances there are. */
const concurrency = {
  type: { kind: 'int', min: 1, max: 1000 },
  doc: 'Most calls of this function at a time, of all mappings together; others wait. Without it there is no limit.'
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

/** Of every function that runs in processes of ours. */
const localFields = {
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
  },
  reload: {
    type: { kind: 'boolean' },
    default: false,
    doc: 'true: calls go to new processes once a file in its folder has changed; calls that run end where they are.'
  }
} as const satisfies Fields

/** By the field that says which kind a function is. */
export const functionFields = {
  http: {
    http: { type: { kind: 'url' }, required: true, doc: 'URL that takes the event by POST.' },
    timeoutSeconds,
    headers: { type: { kind: 'texts' }, doc: 'Sent with every call.' },
    caFile: {
      type: { kind: 'path' },
      doc: 'Authorities (PEM) to trust in place of those that Node trusts. Relative to this file, as the two below.'
    },
    certFile: { type: { kind: 'path' }, doc: 'Certificate (PEM) to show to the server. With keyFile.' },
    keyFile: { type: { kind: 'path' }, doc: 'Its private key (PEM), without a passphrase.' },
    http2: {
      type: { kind: 'boolean' },
      default: false,
      doc: 'Speak HTTP/2 where the server offers it; one call on a connection at a time, as with HTTP/1.1.'
    },
    compress: {
      type: { kind: 'choice', values: ['none', 'gzip'] },
      default: 'none',
      doc: 'gzip: events of 1 KiB and more are sent compressed, with `content-encoding: gzip`.'
    },
    concurrency
  },
  lambda: {
    lambda: {
      type: {
        kind: 'pattern',
        pattern:
          /^(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?\d{12}:function:)?[\w-]{1,64}(?::(?:\$LATEST(?:\.PUBLISHED)?|[\w-]{1,128}))?$/,
        wanted: 'a name or an ARN such as arn:aws:lambda:eu-west-1:123456789012:function:NAME'
      },
      required: true,
      doc: 'The function at AWS Lambda, with a version or an alias at its end if you like; those of a mapping go before it.'
    },
    endpoint: {
      type: { kind: 'url' },
      doc: 'Where Invoke is answered, in place of AWS: an emulator, a VPC endpoint, another Millrace. Else AWS_ENDPOINT_URL_LAMBDA or AWS_ENDPOINT_URL, else AWS in the region of the ARN.'
    },
    timeoutSeconds: {
      type: { kind: 'int', min: 1, max: 900 },
      default: 840,
      doc: "The function's own timeout at most; a minute later a call without an answer is given up."
    },
    roleArn: {
      type: {
        kind: 'pattern',
        pattern: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/,
        wanted: 'an ARN such as arn:aws:iam::123456789012:role/NAME'
      },
      doc: 'A role that is assumed for the calls.'
    },
    externalId: {
      type: {
        kind: 'pattern',
        pattern: /^[\w+=,.@:/-]{2,1224}$/,
        wanted: '2 to 1224 letters, digits and any of _+=,.@:/-'
      },
      doc: 'The external ID that the role asks for.'
    },
    signed: {
      type: { kind: 'boolean' },
      default: true,
      doc: 'false: calls go unsigned, to an emulator that knows no credentials; one at a time, unless `concurrency` says otherwise.'
    },
    concurrency
  },
  handler: {
    handler: {
      type: {
        kind: 'pattern',
        pattern: /[^/\\.]\.[A-Za-z_$][\w$]*$/,
        wanted: 'FILE.EXPORT such as ./functions/orders.handler'
      },
      required: true,
      doc: 'File without its extension, a dot, and the exported function. Relative to directory.'
    },
    runtime: {
      type: { kind: 'choice', values: ['auto', 'node', 'python'] },
      default: 'auto',
      doc: 'What runs it: this Node, or python3 of the PATH with awslambdaric. auto: python where the file ends in .py, else node.'
    },
    directory: {
      type: { kind: 'path' },
      doc: "Its processes' working directory. Relative to this file, whose folder it is unless given."
    },
    ...localFields
  },
  command: {
    command: {
      type: { kind: 'command' },
      required: true,
      doc: 'Any program that speaks the Lambda Runtime API, and its arguments. A path is relative to this file; a bare name is looked for in the PATH.'
    },
    handler: {
      type: { kind: 'pattern', pattern: /^[^\s\0]{1,128}$/, wanted: '1 to 128 characters without a space' },
      default: 'bootstrap',
      doc: 'What the program finds as _HANDLER.'
    },
    directory: {
      type: { kind: 'path' },
      doc: "Its processes' working directory. Relative to this file, whose folder it is unless given."
    },
    ...localFields
  }
} as const satisfies Record<string, Fields>

export const clusterFields = {
  plaintext: { type: { kind: 'brokers' }, doc: 'Brokers that take connections without TLS.' },
  tls: { type: { kind: 'brokers' }, doc: 'Brokers that take TLS, with or without a client certificate.' },
  saslScram: { type: { kind: 'brokers' }, doc: 'Brokers that take SASL/SCRAM over TLS.' },
  saslIam: { type: { kind: 'brokers' }, doc: 'Brokers that take IAM over TLS.' },
  rootCa: {
    type: { kind: 'path' },
    doc: "A PEM file with the authorities that sign the brokers' certificates, if they are not commonly known. Relative to this file."
  }
} as const satisfies Fields

/** One of them. */
export const secretFields = {
  file: { type: { kind: 'path' }, doc: 'A file that holds what the secret would hold. Relative to this file.' },
  environment: {
    type: { kind: 'pattern', pattern: /^[A-Za-z_]\w*$/, wanted: 'the name of an environment variable' },
    doc: 'The environment variable that holds it.'
  }
} as const satisfies Fields
