import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsFiles } from '../../ports/functions.ts'

export interface TlsMaterial {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** Reads the files and tries them out. Throws with the key of the file at fault in front, and nothing of its content. */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): TlsMaterial {
  const material = {
    ...(caFile === undefined ? {} : { ca: read('caFile', caFile) }),
    ...(certFile === undefined ? {} : { cert: read('certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: read('keyFile', keyFile) })
  }
  for (const [key, part] of [
    ['caFile', { ca: material.ca }],
    ['certFile', { cert: material.cert }],
    ['keyFile', { key: material.key }],
    ['certFile and keyFile', { cert: material.cert, key: material.key }]
  ] as const) {
    try {
      createSecureContext(part)
    } catch (error) {
      throw new Error(`${key} cannot be used: ${(error as NodeJS.ErrnoException).code ?? 'it is no PEM'}`, {
        cause: error
      })
    }
  }
  // An authority file without a certificate in it would trust nobody, and say so only at the first call.
  if (material.ca !== undefined && !material.ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error('caFile cannot be used: there is no certificate in it')
  return material
}

function read(key: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new Error(`${key} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'} (${path})`, {
      cause: error
    })
  }
}
