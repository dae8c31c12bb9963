import type { IncomingMessage } from 'node:http'
import { MillraceError } from '../core/errors.ts'

/**
 * The whole body, up to `maxBytes`. Rejects with `MILL_BODY_TOO_LARGE` (naming `operation`) as soon as that is known, or
 * `MILL_REQUEST_MALFORMED` when the connection ends before the body does. The request stays open: the caller has to drain it.
 */
export async function readBody(request: IncomingMessage, maxBytes: number, operation: string): Promise<Buffer> {
  const tooLarge = new MillraceError('MILL_BODY_TOO_LARGE', [maxBytes, operation])
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const settle = (finish: () => void): void => {
      request.off('data', take).off('end', end).off('close', gone).off('error', gone)
      finish()
    }
    const take = (chunk: Buffer): void => {
      length += chunk.length
      if (length > maxBytes) settle(() => reject(tooLarge))
      else chunks.push(chunk)
    }
    const end = (): void => settle(() => resolve(Buffer.concat(chunks)))
    const gone = (): void =>
      settle(() => reject(new MillraceError('MILL_REQUEST_MALFORMED', ['the connection ended before the body did.'])))
    request.on('data', take).on('end', end).on('close', gone).on('error', gone)
  })
}
