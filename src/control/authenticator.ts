import { createHash, timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { readSignature, SigningKeys } from './sigv4.ts'
import type { RequestHead } from './sigv4.ts'

export type Access = 'read' | 'write'

declare const proven: unique symbol
/** Who calls. Only the authenticators of this file make one, and no handler runs without. */
export interface Principal {
  readonly accessKeyId: string
  readonly access: Access
  readonly [proven]: true
}

/** A request whose head passed; its body is still to come. */
export interface Claim {
  /** Throws `MILL_AUTH_SIGNATURE` when the signature does not fit this body. */
  prove(body: Uint8Array): Principal
}

/** The one door of the API. In two steps, so that a caller without a key cannot make us read a body. */
export interface Authenticator {
  /** Throws one of the MILL_AUTH_… errors. */
  begin(head: RequestHead): Claim
}

export interface ApiCredential {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly access: Access
  /** Given: requests must carry it; otherwise any token is taken, as long as it is signed. */
  readonly sessionToken?: string
}

const principal = (accessKeyId: string, access: Access): Principal => ({ accessKeyId, access }) as Principal

/** Takes requests signed with AWS Signature Version 4 by one of these credentials. */
export function sigV4Authenticator(credentials: readonly ApiCredential[], clock: Pick<Clock, 'now'>): Authenticator {
  const keys = new SigningKeys()
  const known = new Map(credentials.map(credential => [credential.accessKeyId, credential]))
  return {
    begin(head) {
      const claim = readSignature(head, key => known.get(key)?.secretAccessKey, clock.now(), keys)
      const credential = known.get(claim.accessKeyId)
      if (credential === undefined || !hasToken(credential, claim.sessionToken ?? ''))
        throw new MillraceError('MILL_AUTH_UNKNOWN_KEY')
      return {
        prove(body) {
          if (!claim.fits(body)) throw new MillraceError('MILL_AUTH_SIGNATURE')
          return principal(credential.accessKeyId, credential.access)
        }
      }
    }
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** In a time that does not tell how much of it was right. */
function hasToken({ sessionToken }: ApiCredential, given: string): boolean {
  if (sessionToken === undefined) return true
  return timingSafeEqual(digest(sessionToken), digest(given))
}

/**
 * Takes any request, signed by anybody or not at all: for a demo or a developer's machine, on loopback only. A page in the
 * developer's browser could reach loopback too: browsers name the page in Origin, which no AWS client sends.
 */
export function anyCredentials(): Authenticator {
  return {
    begin(head) {
      const origin = head.headers.find(([name]) => name.toLowerCase() === 'origin')?.[1]
      if (origin !== undefined) throw new MillraceError('MILL_AUTH_ORIGIN', [origin])
      return { prove: () => principal('anybody', 'write') }
    }
  }
}
