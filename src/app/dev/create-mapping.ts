import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { MillraceError } from '../../core/errors.ts'
import type { Body } from './local-mapping.ts'

/** Creates a mapping over the API of `dev`, which takes unsigned requests. Rejects with `MILL_DEV_MAPPING`. */
export async function createMapping(api: string, body: Body, place: string): Promise<string> {
  // Not by `fetch`, which takes longer to load than all this takes.
  const call = request(new URL('/2015-03-31/event-source-mappings/', api), {
    method: 'POST',
    headers: { 'content-type': 'application/json' }
  })
  call.end(JSON.stringify(body))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const answer = JSON.parse(await text(response)) as { UUID?: string; message?: string; Message?: string }
  const { statusCode: status = 0, headers } = response
  if (status < 300 && answer.UUID !== undefined) return answer.UUID
  const reason = answer.message ?? answer.Message ?? `status ${status}`
  const code = headers['x-millrace-error']
  const help =
    code === 'MILL_FUNCTION_NOT_FOUND'
      ? `: ${String(body['FunctionName'])} is neither in the template nor under functions in millrace.yaml`
      : ''
  throw new MillraceError('MILL_DEV_MAPPING', [place, `${reason}${help}`])
}
