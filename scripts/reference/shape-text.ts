import type { Shape } from '../../src/core/mapping/fields.ts'
import { code } from './markdown.ts'

/** Type and limits of a member in words. */
export function shapeText(shape: Shape): string {
  switch (shape.type) {
    case 'string':
      if (shape.values !== undefined) return shape.values.map(code).join(', ')
      return ['string', lengthText(shape, 'characters')].filter(Boolean).join(', ')
    case 'integer':
      return `integer, ${shape.min} to ${shape.max}`
    case 'boolean':
      return 'boolean'
    case 'timestamp':
      return 'timestamp: epoch seconds or ISO 8601'
    case 'list':
      return ['list', lengthText(shape, 'elements')].filter(Boolean).join(', ')
    case 'map':
      return ['map', lengthText(shape, 'keys')].filter(Boolean).join(', ')
    case 'structure':
      return 'structure'
    default:
      throw new Error(`unknown shape ${JSON.stringify(shape satisfies never)}`)
  }
}

function lengthText({ min = 0, max }: { readonly min?: number; readonly max?: number }, what: string): string {
  if (max !== undefined) return min === max ? `${max} ${what}` : `${min} to ${max} ${what}`
  return min > 0 ? `at least ${min} ${what}` : ''
}

/** A member and those inside it, each with the path that names it: `Topics`, `Topics[]`. */
export function membersOf(path: string, shape: Shape): { readonly path: string; readonly shape: Shape }[] {
  return [{ path, shape }, ...inside(shape).flatMap(([name, inner]) => membersOf(`${path}${name}`, inner))]
}

function inside(shape: Shape): [name: string, shape: Shape][] {
  if (shape.type === 'list') return [['[]', shape.element]]
  if (shape.type === 'map') return [[shape.key.values?.length === 1 ? `.${shape.key.values[0]}` : '.*', shape.value]]
  if (shape.type === 'structure') return Object.entries(shape.members).map(([name, inner]) => [`.${name}`, inner])
  return []
}
