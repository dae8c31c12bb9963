import type { SaslExtensions } from '../../../core/source/sasl-extensions.ts'
import { SaslRefusal } from './sasl-dialogue.ts'
import type { SaslDialogue } from './sasl-dialogue.ts'

/** OAUTHBEARER (RFC 7628) with extensions (KIP-342). A broker that refuses the token says why in an answer, and waits to be told that it was read. */
export async function* oauthBearer(token: string, extensions: SaslExtensions = []): SaslDialogue {
  const pairs = extensions.map(([name, value]) => `${name}=${value}\x01`).join('')
  const answer = yield Buffer.from(`n,,\x01auth=Bearer ${token}\x01${pairs}\x01`)
  if (answer.length === 0) return
  const why = `the broker refuses the token: ${reasonOf(answer.toString())}`
  try {
    // Ends the exchange; the broker then refuses it in Kafka's way too, if it says anything.
    yield Buffer.from('\x01')
  } catch (error) {
    throw new SaslRefusal(`${why}: ${(error as Error).message}`, { cause: error })
  }
  throw new SaslRefusal(why)
}

/** `{"status":"invalid_token","scope":"kafka"}` */
function reasonOf(json: string): string {
  try {
    const { status, scope } = JSON.parse(json) as { status?: unknown; scope?: unknown }
    if (typeof status === 'string') return typeof scope === 'string' ? `${status} (scope ${scope})` : status
  } catch {
    // Not JSON: shown as it is.
  }
  return json
}
