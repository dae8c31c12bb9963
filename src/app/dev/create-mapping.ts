import { MillraceError } from '../../core/errors.ts'
import type { Body } from './local-mapping.ts'

/** Creates a mapping over the API of `dev`, which takes unsigned requests. Rejects with `MILL_DEV_MAPPING`. */
export async function createMapping(api: string, body: Body, place: string): Promise<string> {
  const response = await fetch(new URL('/2015-03-31/event-source-mappings/', api), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const answer = (await response.json()) as { UUID?: string; message?: string; Message?: string }
  if (response.ok && answer.UUID !== undefined) return answer.UUID
  const reason = answer.message ?? answer.Message ?? `status ${response.status}`
  const code = response.headers.get('x-millrace-error')
  const help =
    code === 'MILL_FUNCTION_NOT_FOUND'
      ? `: ${String(body['FunctionName'])} is neither in the template nor under functions in millrace.yaml`
      : ''
  throw new MillraceError('MILL_DEV_MAPPING', [place, `${reason}${help}`])
}
