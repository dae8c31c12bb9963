import type { DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import type { FailureMessage } from '../../ports/destination.ts'
import type { Log } from '../../ports/log.ts'
import { sendBatch, type BatchAnswer } from './aws-batch.ts'
import { clientConfig, LazyClient, requestLimits } from './aws-client.ts'
import { problemKind } from './aws-problem.ts'
import type { Bulk } from './bulk-sender.ts'

export interface QueueDeps {
  readonly log: Log
  readonly aws: MappingCredentials
}

type SqsTarget = Extract<DestinationTarget, { kind: 'sqs' }>

/** A standard queue. AWS: SendMessageBatch takes ten messages of 1 MiB together. */
export function sqsBulk(target: SqsTarget, deps: QueueDeps): Bulk {
  const queue = new Queue(target, deps)
  return {
    name: target.arn,
    maxMessages: 10,
    maxBytes: 1_048_576,
    inFlight: 4,
    timeLimitMs: requestLimits.messageMs,
    send: (messages, signal) => sendBatch(target.arn, messages, messages => queue.send(messages, signal)),
    close: () => queue.close()
  }
}

const lazyClient = (region: string, aws: MappingCredentials) =>
  new LazyClient(
    () => import('@aws-sdk/client-sqs'),
    // A queue's URL may name a host that cannot be reached from here; the endpoint that was configured can.
    sdk => new sdk.SQSClient({ ...clientConfig(region, aws), useQueueUrlAsEndpoint: false })
  )

class Queue {
  readonly #target: SqsTarget
  readonly #log: Log
  readonly #client: ReturnType<typeof lazyClient>
  #url: Promise<string> | undefined

  constructor(target: SqsTarget, { log, aws }: QueueDeps) {
    this.#target = target
    this.#log = log
    this.#client = lazyClient(target.region, aws)
  }

  async send(messages: readonly FailureMessage[], abortSignal: AbortSignal): Promise<BatchAnswer> {
    const { sdk, client } = await this.#client.open()
    const command = new sdk.SendMessageBatchCommand({
      QueueUrl: await this.#queueUrl(abortSignal),
      Entries: messages.map(({ body }, at) => ({ Id: String(at), MessageBody: body.toString('utf8') }))
    })
    return client.send(command, { abortSignal })
  }

  close(): void {
    this.#client.close()
  }

  #queueUrl(abortSignal: AbortSignal): Promise<string> {
    if (this.#url !== undefined) return this.#url
    const asked = this.#askQueueUrl(abortSignal)
    this.#url = asked
    asked.catch(() => {
      this.#url = undefined
    })
    return asked
  }

  async #askQueueUrl(abortSignal: AbortSignal): Promise<string> {
    const { sdk, client } = await this.#client.open()
    const { arn, region, accountId, queueName } = this.#target
    try {
      const command = new sdk.GetQueueUrlCommand({ QueueName: queueName, QueueOwnerAWSAccountId: accountId })
      const { QueueUrl } = await client.send(command, { abortSignal })
      if (QueueUrl !== undefined) return QueueUrl
    } catch (error) {
      if (problemKind(error) !== 'AccessDenied') throw error
      this.#log.debug({ destination: arn }, 'sqs:GetQueueUrl is not allowed: the queue’s URL is made from its ARN')
    }
    // AWS asks for sqs:SendMessage alone (reference 10.3).
    const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
    return `https://sqs.${region}.${suffix}/${accountId}/${queueName}`
  }
}
