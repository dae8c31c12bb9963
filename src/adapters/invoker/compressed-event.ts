import { constants, gzip } from 'node:zlib'

/** Below this the headers that say so cost more than is gained. */
const leastBytes = 1_024

/** The event in gzip, made off this thread; the same bytes when they are too few to gain by it, or it cannot be made. */
export function compressed(event: Uint8Array): Promise<Uint8Array> {
  if (event.byteLength < leastBytes) return Promise.resolve(event)
  return new Promise(resolve => {
    // Base64 of what is often text already: more effort gains little and costs several times as much.
    gzip(event, { level: constants.Z_BEST_SPEED }, (error, bytes) => resolve(error === null ? bytes : event))
  })
}
