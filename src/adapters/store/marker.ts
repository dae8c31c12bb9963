import { MillraceError } from '../../core/errors.ts'

/** The place in a listing, as clients give it back: opaque to them, a creation number to us. */
export const writeMarker = (seq: number): string => Buffer.from(`after:${seq}`).toString('base64url')

export function readMarker(marker: string): number {
  const found = /^after:(\d{1,15})$/.exec(Buffer.from(marker, 'base64url').toString())?.[1]
  if (found === undefined)
    throw new MillraceError('MILL_PARAMETER_INVALID', [
      `Invalid Marker ${marker}: give back the NextMarker of the previous answer.`
    ])
  return Number(found)
}
