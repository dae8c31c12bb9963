import type { DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import { clientConfig, LazyClient, requestLimits } from './aws-client.ts'
import { awsProblem } from './aws-problem.ts'
import type { Bulk } from './bulk-sender.ts'

/** A bucket, one object a message. Its ARN names no region: `region` is where it is looked for first. */
export function s3Bulk(
  { arn, bucket }: Extract<DestinationTarget, { kind: 's3' }>,
  { region, aws }: { readonly region: string; readonly aws: MappingCredentials }
): Bulk {
  const lazy = new LazyClient(
    () => import('@aws-sdk/client-s3'),
    sdk =>
      new sdk.S3Client({
        ...clientConfig(region, aws),
        followRegionRedirects: true,
        // At an endpoint of one's own there is no host name for each bucket.
        forcePathStyle: hasOwnEndpoint()
      })
  )
  return {
    name: arn,
    maxMessages: 1,
    // Several objects of several MiB at once would be kept twice: as documents and in sockets.
    maxBytes: 1,
    inFlight: 4,
    timeLimitMs: requestLimits.objectMs,
    async send(messages, abortSignal) {
      try {
        const { sdk, client } = await lazy.open()
        for (const { body, objectKey } of messages) {
          if (objectKey === undefined) throw new Error('a message for a bucket has no key')
          const object = { Bucket: bucket, Key: objectKey, Body: body, ContentType: 'application/json' }
          await client.send(new sdk.PutObjectCommand(object), { abortSignal })
        }
        return messages.map(() => undefined)
      } catch (error) {
        throw awsProblem(arn, error)
      }
    },
    close: () => lazy.close()
  }
}

export const hasOwnEndpoint = (): boolean =>
  (process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'] ?? '') !== ''
