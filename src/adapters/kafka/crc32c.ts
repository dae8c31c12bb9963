import { createRequire } from 'node:module'
import { crc32c as portableCrc32c } from '@platformatic/kafka'

/** CRC-32C (Castagnoli) of the bytes, unsigned. Native where its package is installed for this machine, else WebAssembly. */
export const crc32c: (bytes: Uint8Array) => number = native() ?? (bytes => portableCrc32c(bytes) >>> 0)

// The library would find the native one too, but copies every batch before it calls it.
function native(): ((bytes: Uint8Array) => number) | undefined {
  try {
    const module = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: (bytes: Uint8Array) => number }
    return bytes => module.crc32c(bytes) >>> 0
  } catch {
    return undefined
  }
}
