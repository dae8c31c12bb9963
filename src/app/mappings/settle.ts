import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import type { Mapping, MappingsApi } from './api.ts'
import { ApiRefusal } from './api-refusal.ts'

/** How long `--wait` waits. */
export const patienceMs = 60_000
const pollMs = 200

const settled = new Set(['Enabled', 'Disabled'])

/**
 * Asks until the mapping is in none of the states between: resolves with it, or with undefined once it has gone.
 * Rejects with `MILL_WAIT_TIMEOUT`.
 */
export async function settle(api: MappingsApi, uuid: string, stop: AbortSignal): Promise<Mapping | undefined> {
  for (const end = performance.now() + patienceMs; ;) {
    const mapping = await getOrGone(api, uuid)
    if (mapping === undefined || settled.has(mapping.State ?? '')) return mapping
    if (performance.now() >= end) {
      throw new MillraceError('MILL_WAIT_TIMEOUT', [uuid, mapping.State ?? 'without a state', patienceMs / 1000])
    }
    await pause(pollMs, undefined, { signal: stop })
  }
}

/** Undefined when there is no such mapping. */
export async function getOrGone(api: MappingsApi, uuid: string): Promise<Mapping | undefined> {
  try {
    return await api.get(uuid)
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 404) return undefined
    throw error
  }
}
