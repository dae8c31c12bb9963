import type { AwsKeys } from '../../../ports/cluster-security.ts'
import { presignConnect } from './msk-token.ts'
import type { SaslDialogue } from './sasl-dialogue.ts'

const version = '2020_10_22'

/** AWS_MSK_IAM (reference 9.5): a signed request for this very broker, taken apart into JSON. */
export async function* mskIam(host: string, region: string, keys: AwsKeys, now: Date, userAgent: string): SaslDialogue {
  const { query } = await presignConnect(host, region, keys, now)
  const signed = Object.entries(query).map(([name, value]) => [name.toLowerCase(), value])
  yield Buffer.from(JSON.stringify({ version, host, 'user-agent': userAgent, ...Object.fromEntries(signed) }))
}
