import { lookup } from 'node:dns'
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { MillraceError } from '../../core/errors.ts'
import { AddressGuard } from '../../core/net/address-guard.ts'
import { checkLiteralAddress, guardedLookup } from '../../core/net/guarded-lookup.ts'
import type { OidcClientContent } from '../../core/secret/content.ts'
import type { BearerToken } from '../../ports/cluster-security.ts'

export interface OidcRequest {
  readonly tokenEndpoint: string
  readonly scope?: string
}

/** Less than a connection waits for its credentials: then the endpoint is named as what does not answer. */
const patienceMs = 2_500
/** Larger than any token; the rest of such an answer is not read. */
const mostBytes = 1024 * 1024
/** RFC 6749 only recommends `expires_in`. */
const assumedLifeMs = 5 * 60_000
/** What is left of a token that is shown once more. */
const leastLifeMs = 10_000

/** Asks OpenID token endpoints. Whoever makes a mapping names the endpoint: it must not lead to where a cloud gives away credentials. */
export class OidcTokens {
  readonly #guard: AddressGuard
  readonly #agent: Agent
  /** The last of each client, for when its endpoint is down. */
  readonly #last = new Map<string, BearerToken>()

  constructor(guard = new AddressGuard()) {
    this.#guard = guard
    this.#agent = new Agent({ connections: 4, connect: { lookup: guardedLookup(lookup, guard), timeout: patienceMs } })
  }

  /**
   * A new token by client credentials (RFC 6749, 4.4); the last one, while it is good, when the endpoint is down.
   * Rejects with `MILL_TOKEN_REFUSED`; what the endpoint wrote is not repeated, but for its error code.
   */
  async fetch(request: OidcRequest, client: OidcClientContent, nowMs: number): Promise<BearerToken> {
    const key = JSON.stringify([request.tokenEndpoint, request.scope, client.clientId])
    try {
      const token = await fetchToken(request, client, { nowMs, guard: this.#guard, dispatcher: this.#agent })
      this.#last.set(key, token)
      return token
    } catch (error) {
      const last = this.#last.get(key)
      if (error instanceof Outage && last !== undefined && last.expiresAtMs - nowMs > leastLifeMs) return last
      this.#last.delete(key)
      throw new MillraceError('MILL_TOKEN_REFUSED', [request.tokenEndpoint, (error as Error).message])
    }
  }
}

/** Nobody said that the client may have no token. */
class Outage extends Error {}

interface Asking {
  readonly nowMs: number
  readonly guard: AddressGuard
  readonly dispatcher: Dispatcher
}

async function fetchToken(
  { tokenEndpoint, scope }: OidcRequest,
  client: OidcClientContent,
  { nowMs, guard, dispatcher }: Asking
): Promise<BearerToken> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) })
  const login = `${encodeURIComponent(client.clientId)}:${encodeURIComponent(client.clientSecret)}`
  let status: number
  let text: string
  try {
    checkLiteralAddress(new URL(tokenEndpoint).hostname.replace(/^\[(.*)\]$/, '$1'), guard)
    const answer = await request(tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json'
      },
      body: form.toString(),
      signal: AbortSignal.timeout(patienceMs),
      dispatcher
    })
    status = answer.statusCode
    text = await readAtMost(answer.body, mostBytes)
  } catch (error) {
    throw new Outage(reasonOf(error))
  }
  const members = readObject(text)
  if (status !== 200) {
    const code = members?.['error']
    // An error code of RFC 6749 is a word; anything else may repeat what was sent.
    const why = `HTTP ${status}${typeof code === 'string' && /^[a-z_]{1,64}$/.test(code) ? `, ${code}` : ''}`
    throw status >= 500 || status === 429 ? new Outage(why) : new Error(why)
  }
  const token = members?.['access_token']
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new Error('its answer has no access_token')
  const seconds = Number(members?.['expires_in'])
  return { value: token, expiresAtMs: nowMs + (seconds > 0 ? seconds * 1000 : assumedLifeMs) }
}

async function readAtMost(body: Dispatcher.ResponseData['body'], limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limit) throw new Error('its answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${patienceMs / 1000} s`
  const nested: unknown = error instanceof AggregateError ? error.errors[0] : error.cause
  return error.message !== '' ? error.message : nested instanceof Error ? nested.message : error.name
}
