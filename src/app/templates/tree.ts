/** A map of a template as it was written, before any function of CloudFormation in it was looked at. */
export type Tree = Readonly<Record<string, unknown>>

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The member of a map; undefined for what is no map. Never one of Object's own. */
export const own = (value: unknown, key: string): unknown =>
  isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined

/** The members of a map that are maps themselves. */
export const trees = (value: unknown): [name: string, tree: Tree][] =>
  isTree(value) ? Object.entries(value).filter((entry): entry is [string, Tree] => isTree(entry[1])) : []

/** One step down a path, as a person writes it: `Resources.Orders.Properties.Topics[0]`. */
export function at(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`
  if (!/^[\w:$-]+$/.test(step)) return `${path}[${JSON.stringify(step)}]`
  return path === '' ? step : `${path}.${step}`
}

/** `at` for many steps. */
export const below = (path: string, ...steps: readonly (string | number)[]): string => steps.reduce<string>(at, path)

/** A scalar as CloudFormation hands it on; undefined for what is none. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** What was found instead, for an error. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (isTree(value)) return 'a map'
  const text = String(scalarText(value))
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/** A copy of a map with a value at the end of the steps. */
export function put(tree: Tree, [step = '', ...rest]: readonly string[], value: unknown): Tree {
  const present = own(tree, step)
  return { ...tree, [step]: rest.length === 0 ? value : put(isTree(present) ? present : {}, rest, value) }
}
