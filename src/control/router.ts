import { MillraceError } from '../core/errors.ts'
import type { Access, Principal } from './authenticator.ts'
import { unescape } from './query.ts'
import type { Reply } from './reply.ts'

/** A request that may be carried out. */
export interface Call {
  readonly principal: Principal
  /** As the answer names it. */
  readonly requestId: string
  /** Parts of the path, decoded once. */
  readonly parameters: Readonly<Record<string, string>>
  readonly query: readonly (readonly [name: string, value: string])[]
  header(name: string): string | undefined
  readonly body: Uint8Array
}

export type Handler = (call: Call) => Promise<Reply>

export interface Route {
  /** AWS's name of it, as in IAM and CloudTrail. */
  readonly operation: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `{Name}` stands for one part of the path. */
  readonly path: string
  readonly access: Access
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number
  readonly handle: Handler
}

export interface Match {
  readonly route: Route
  readonly parameters: Readonly<Record<string, string>>
}

/** Finds the route of a raw path, with or without a trailing slash: SDK generations differ (reference 1.1). */
export function matchRoute(routes: readonly Route[], method: string, rawPath: string): Match | undefined {
  const given = parts(rawPath)
  for (const route of routes) {
    if (route.method !== method) continue
    const parameters = matchParts(parts(route.path), given)
    if (parameters !== undefined) return { route, parameters }
  }
  return undefined
}

/** Refuses what the caller's key may not do. */
export function authorize({ accessKeyId, access }: Principal, route: Route): void {
  if (route.access === 'write' && access !== 'write')
    throw new MillraceError('MILL_AUTH_DENIED', [accessKeyId, access, route.operation])
}

const parts = (path: string): string[] => path.replace(/\/$/, '').split('/')

/** Does a path fit the parts of a pattern; used for the table of operations that we do not have as well. */
export function matchParts(pattern: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== given.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [at, part] of pattern.entries()) {
    const value = given[at] ?? ''
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined ? part !== value : value === '') return undefined
    if (name !== undefined) parameters[name] = unescape(value)
  }
  return parameters
}
