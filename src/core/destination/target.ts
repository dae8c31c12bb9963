import { MillraceError } from '../errors.ts'
import { brokenConstraint } from '../mapping/constraints.ts'

/** Where a mapping's failures go. Plain data: it crosses to a poller's thread. AWS: reference 8.1. */
export type DestinationTarget =
  | {
      readonly kind: 'sqs'
      readonly arn: string
      readonly region: string
      readonly accountId: string
      readonly queueName: string
    }
  | { readonly kind: 'sns'; readonly arn: string; readonly region: string }
  /** A bucket's ARN names no region. */
  | { readonly kind: 's3'; readonly arn: string; readonly bucket: string }
  /** A topic on the cluster of the source. */
  | { readonly kind: 'kafka'; readonly topic: string }
  /** Ours, beyond AWS: a file of JSON lines; `name` is relative to the server's folder for destinations and stays inside it. */
  | { readonly kind: 'file'; readonly name: string }

export interface DestinationRules {
  /** Its failures may not come back as its records. */
  readonly sourceTopic: string
  readonly strictAws: boolean
  /** The mapping has a ProvisionedPollerConfig. */
  readonly provisioned: boolean
}

/** The target as the user wrote it, for messages. */
export function targetText(target: DestinationTarget): string {
  switch (target.kind) {
    case 'sqs':
    case 'sns':
    case 's3':
      return target.arn
    case 'kafka':
      return `kafka://${target.topic}`
    case 'file':
      return `file:${target.name}`
    default:
      throw new Error(`no text for ${JSON.stringify(target satisfies never)}`)
  }
}

/** AWS's model of a destination. */
const awsPattern =
  '$|kafka://([^.]([a-zA-Z0-9\\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)'
const awsForm = new RegExp(`^(?:${awsPattern})$`)

/**
 * Reads `DestinationConfig.OnFailure.Destination`, which is not empty. Throws `MILL_CONSTRAINT`, `MILL_DESTINATION_INVALID`,
 * `MILL_DESTINATION_SOURCE_TOPIC`.
 */
export function parseDestination(text: string, rules: DestinationRules): DestinationTarget {
  if (rules.strictAws && !awsForm.test(text)) {
    const constraint = `Member must satisfy regular expression pattern: ${awsPattern}`
    throw brokenConstraint(text, 'destinationConfig.onFailure.destination', constraint)
  }
  if (text.startsWith('arn:')) return parseArn(text)
  if (text.startsWith('kafka://')) return parseTopic(text, rules)
  if (text.startsWith('file:')) return parseFile(text)
  throw invalid(text, `it is neither an ARN nor kafka://topic nor file:name.jsonl; ${takes}`)
}

const takes = 'use the ARN of a standard SQS queue, of a standard SNS topic or of an S3 bucket, or kafka://topic'

const invalid = (text: string, why: string): MillraceError => new MillraceError('MILL_DESTINATION_INVALID', [text, why])

const region = '[a-z]{2,4}(?:-[a-z]+)+-\\d'
const forms = {
  sqs: new RegExp(`^arn:aws[a-z-]*:sqs:(${region}):(\\d{12}):([A-Za-z0-9_-]{1,80})$`),
  sns: new RegExp(`^arn:aws[a-z-]*:sns:(${region}):\\d{12}:[A-Za-z0-9_-]{1,256}$`),
  s3: /^arn:aws[a-z-]*:s3:::([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])$/
}

function parseArn(arn: string): DestinationTarget {
  const service = arn.split(':')[2] ?? ''
  switch (service) {
    case 'sqs': {
      if (arn.endsWith('.fifo'))
        throw invalid(arn, 'FIFO queues take no failures of a Kafka event source; use a standard queue')
      const [, region, accountId, queueName] = forms.sqs.exec(arn) ?? []
      if (region === undefined || accountId === undefined || queueName === undefined) {
        throw invalid(arn, 'the ARN of a queue is arn:aws:sqs:region:account:name')
      }
      return { kind: 'sqs', arn, region, accountId, queueName }
    }
    case 'sns': {
      if (arn.endsWith('.fifo'))
        throw invalid(arn, 'FIFO topics take no failures of a Kafka event source; use a standard topic')
      const [, region] = forms.sns.exec(arn) ?? []
      if (region === undefined) throw invalid(arn, 'the ARN of a topic is arn:aws:sns:region:account:name')
      return { kind: 'sns', arn, region }
    }
    case 's3': {
      const [, bucket] = forms.s3.exec(arn) ?? []
      if (bucket === undefined)
        throw invalid(arn, 'the ARN of a bucket is arn:aws:s3:::name, without a key or an access point')
      return { kind: 's3', arn, bucket }
    }
    case 'lambda':
      throw invalid(arn, `a function takes no failures of a Kafka event source; ${takes}`)
    case 'events':
      throw invalid(arn, `EventBridge takes no failures of a Kafka event source; ${takes}`)
    default:
      throw invalid(arn, `the service "${service}" takes no failures of a Kafka event source; ${takes}`)
  }
}

function parseTopic(text: string, { sourceTopic, strictAws, provisioned }: DestinationRules): DestinationTarget {
  const topic = text.slice('kafka://'.length)
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..') {
    throw invalid(text, 'the name of a Kafka topic has 1 to 249 letters, digits, dots, hyphens and underscores')
  }
  if (strictAws && !provisioned) {
    throw invalid(text, 'a Kafka topic is a destination in provisioned mode only; set ProvisionedPollerConfig too')
  }
  if (topic === sourceTopic) throw new MillraceError('MILL_DESTINATION_SOURCE_TOPIC')
  return { kind: 'kafka', topic }
}

function parseFile(text: string): DestinationTarget {
  const name = text.slice('file:'.length)
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name) || name.split('/').includes('..')) {
    throw invalid(
      text,
      'the file lies in the folder for destinations; use a relative name without "..", such as file:name.jsonl'
    )
  }
  if (!/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name) || name.length > 200) {
    throw invalid(
      text,
      'the name of the file has up to 200 letters, digits, dots, hyphens, underscores and slashes between folders, none of them hidden'
    )
  }
  // `a.jsonl.1` is what `a.jsonl` becomes when it is full.
  if (/\.\d+$/.test(name)) throw invalid(text, 'a name that ends in a number is that of a rotated file')
  return { kind: 'file', name }
}
