import { MillraceError } from '../../core/errors.ts'
import { readOne } from '../../core/mapping/constraints.ts'
import { maxItemsShape } from '../../core/mapping/fields.ts'
import type { Call } from '../router.ts'

/** The last value of a query member; undefined when it is absent or empty. */
export function queryValue(call: Call, name: string): string | undefined {
  const value = call.query.findLast(([key]) => key === name)?.[1]
  return value === '' ? undefined : value
}

/** `MaxItems`, 1 to 10,000. */
export function maxItems(call: Call): number | undefined {
  const text = queryValue(call, 'MaxItems')
  if (text === undefined) return undefined
  if (!/^-?\d{1,15}$/.test(text)) throw new MillraceError('MILL_BODY_TYPE', ['MaxItems', 'an integer', text])
  return readOne(maxItemsShape, Number(text), 'MaxItems')
}
