import type { DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import type { FailureMessage } from '../../ports/destination.ts'
import { sendBatch, type BatchAnswer } from './aws-batch.ts'
import { clientConfig, LazyClient, requestLimits } from './aws-client.ts'
import type { Bulk } from './bulk-sender.ts'

/** A standard topic. AWS: PublishBatch takes ten messages of 256 KB together. */
export function snsBulk({ arn, region }: Extract<DestinationTarget, { kind: 'sns' }>, aws: MappingCredentials): Bulk {
  const lazy = new LazyClient(
    () => import('@aws-sdk/client-sns'),
    sdk => new sdk.SNSClient(clientConfig(region, aws))
  )
  const publish = async (messages: readonly FailureMessage[], abortSignal: AbortSignal): Promise<BatchAnswer> => {
    const { sdk, client } = await lazy.open()
    const command = new sdk.PublishBatchCommand({
      TopicArn: arn,
      PublishBatchRequestEntries: messages.map(({ body }, at) => ({ Id: String(at), Message: body.toString('utf8') }))
    })
    return client.send(command, { abortSignal })
  }
  return {
    name: arn,
    maxMessages: 10,
    maxBytes: 262_144,
    inFlight: 4,
    timeLimitMs: requestLimits.messageMs,
    send: (messages, signal) => sendBatch(arn, messages, messages => publish(messages, signal)),
    close: () => lazy.close()
  }
}
