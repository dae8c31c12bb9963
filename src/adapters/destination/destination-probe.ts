import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { targetText, type DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import { clientConfig } from './aws-client.ts'
import { problemKind, statusOf } from './aws-problem.ts'
import { hasOwnEndpoint } from './s3.ts'

export interface DestinationProbeOptions {
  readonly aws: MappingCredentials
  /** Where buckets are looked for. */
  readonly region: string
  readonly destinationDir: string
  readonly signal: AbortSignal
}

/**
 * `ready`      it is there, and as far as can be told without writing, ours to write
 * `uncertain`  it is there, but whether we may write only a delivery would tell
 */
export interface DestinationState {
  readonly kind: 'ready' | 'uncertain'
  readonly text: string
}

/** Looks at a destination without writing to it. Rejects with what the outside answered, to be read by `awsProblem`. */
export async function probeDestination(
  target: Exclude<DestinationTarget, { kind: 'kafka' }>,
  options: DestinationProbeOptions
): Promise<DestinationState> {
  const region = 'region' in target ? target.region : options.region
  const once = { ...clientConfig(region, options.aws), maxAttempts: 1 }
  const { signal: abortSignal } = options
  switch (target.kind) {
    case 'sqs': {
      const { SQSClient, GetQueueUrlCommand } = await import('@aws-sdk/client-sqs')
      const client = new SQSClient({ ...once, useQueueUrlAsEndpoint: false })
      const { queueName: QueueName, accountId: QueueOwnerAWSAccountId } = target
      const ask = () => client.send(new GetQueueUrlCommand({ QueueName, QueueOwnerAWSAccountId }), { abortSignal })
      return asked(ask, client, { looking: 'sqs:GetQueueUrl', writing: `sqs:SendMessage on ${targetText(target)}` })
    }
    case 'sns': {
      const { SNSClient, GetTopicAttributesCommand } = await import('@aws-sdk/client-sns')
      const client = new SNSClient(once)
      const ask = () => client.send(new GetTopicAttributesCommand({ TopicArn: target.arn }), { abortSignal })
      return asked(ask, client, { looking: 'sns:GetTopicAttributes', writing: `sns:Publish on ${target.arn}` })
    }
    case 's3': {
      const { S3Client, HeadBucketCommand } = await import('@aws-sdk/client-s3')
      const client = new S3Client({ ...once, followRegionRedirects: true, forcePathStyle: hasOwnEndpoint() })
      const ask = () => client.send(new HeadBucketCommand({ Bucket: target.bucket }), { abortSignal })
      return asked(ask, client, { looking: 's3:ListBucket', writing: `s3:PutObject on ${targetText(target)}/*` })
    }
    case 'file':
      return probeFile(join(options.destinationDir, target.name), targetText(target))
    default:
      throw new Error(`no way to look at ${JSON.stringify(target satisfies never)}`)
  }
}

/** AWS tells who may look from who may not; looking is another right than writing. */
async function asked(
  ask: () => Promise<unknown>,
  client: { destroy: () => void },
  { looking, writing }: { readonly looking: string; readonly writing: string }
): Promise<DestinationState> {
  const untold = `${writing} was not tried: only a delivery tells whether it is allowed`
  try {
    await ask()
    return { kind: 'ready', text: `it is there (${looking}); ${untold}` }
  } catch (error) {
    if (!isDenied(error)) throw error
    return { kind: 'uncertain', text: `${looking} is not allowed, so that it cannot be looked at; ${untold}` }
  } finally {
    client.destroy()
  }
}

/** The answer to a HEAD has no body that could say why. */
const isDenied = (error: unknown): boolean =>
  /^(AccessDenied|AuthorizationError|403|Forbidden)$/.test(problemKind(error)) || statusOf(error) === 403

async function probeFile(path: string, name: string): Promise<DestinationState> {
  // What is missing is made at the first delivery, in the nearest folder that is there.
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found === undefined) continue
    if (at !== path && !found.isDirectory()) throw new Error(`${at} is no folder`)
    if (at === path && !found.isFile()) throw new Error(`${at} is no file`)
    await access(at, constants.W_OK)
    return { kind: 'ready', text: `${name} can be written in ${dirname(path)}` }
  }
}
