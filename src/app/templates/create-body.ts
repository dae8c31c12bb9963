import { MillraceError } from '../../core/errors.ts'
import { readMembers } from '../../core/mapping/constraints.ts'
import { fieldNames, mappingFields } from '../../core/mapping/fields.ts'
import type { Field, FieldName, Shape } from '../../core/mapping/fields.ts'
import { nearest } from '../config/nearest.ts'
import { absent, unresolved } from './resolver.ts'
import { at, isTree, kindOf, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** The body of CreateEventSourceMapping, member for member as AWS's API names them. */
export interface CreateBody {
  FunctionName: string
  EventSourceArn?: string
  SelfManagedEventSource?: { readonly Endpoints?: Readonly<Record<string, readonly string[]>> }
  Topics?: readonly string[]
  readonly [member: string]: unknown
}

type Refuse = (path: string, message: string) => void

/** CloudFormation's names where they differ from the API's (reference 14.1). */
const apiNames: ReadonlyMap<string, string> = new Map([
  ['KmsKeyArn', 'KMSKeyArn'],
  ['KafkaBootstrapServers', 'KAFKA_BOOTSTRAP_SERVERS']
])
const cloudFormationNames: ReadonlyMap<string, string> = new Map([...apiNames].map(([theirs, ours]) => [ours, theirs]))
/** The API's name of a property. The API's own name of one that is called otherwise is none of CloudFormation's. */
const apiName = (name: string): string => (cloudFormationNames.has(name) ? '' : (apiNames.get(name) ?? name))

/** The properties that AWS::Lambda::EventSourceMapping has for every kind of source. */
export const mappingProperties: readonly string[] = fieldNames.map(name => cloudFormationNames.get(name) ?? name)

/**
 * The body that CloudFormation sends for the resolved properties of an AWS::Lambda::EventSourceMapping: numbers and
 * truths that were written as texts become what the API wants. What it cannot send is refused with its path.
 */
export function createBody(properties: Tree, path: string, refuse: Refuse): CreateBody {
  const entries = Object.entries(properties).flatMap(([name, value]): [string, unknown][] => {
    const where = at(path, name)
    const known = fieldOf(name)
    if (known === undefined) {
      const meant = nearest(name, mappingProperties)
      refuse(where, `is no property of an event source mapping${meant === undefined ? '' : `: ${meant} is one`}`)
      return []
    }
    if (value === absent || value === null) return []
    const { shape }: Field = mappingFields[known]
    return [[known, known === 'Tags' ? tags(value, where, refuse) : coerce(shape, value, where, refuse)]]
  })
  return Object.fromEntries(entries.filter(([, value]) => value !== unresolved)) as unknown as CreateBody
}

/** What AWS would refuse of the body by its model; undefined: nothing. */
export function brokenLimits(body: CreateBody): string | undefined {
  try {
    readMembers('create', body)
    return undefined
  } catch (error) {
    if (error instanceof MillraceError) return error.message
    throw error
  }
}

const fieldOf = (name: string): FieldName | undefined => fieldNames.find(known => known === apiName(name))

/** CloudFormation has a list of Key and Value, the API a map. */
function tags(value: unknown, path: string, refuse: Refuse): unknown {
  if (value === unresolved) return value
  if (!Array.isArray(value)) {
    refuse(path, `must be a list of Key and Value, got ${kindOf(value)}`)
    return unresolved
  }
  const pairs = value.flatMap((tag: unknown, i): [string, string][] => {
    const [key, text] = isTree(tag) ? [scalarText(tag['Key']), scalarText(tag['Value'])] : []
    if (key !== undefined && text !== undefined) return [[key, text]]
    if (tag !== unresolved && !Object.values(isTree(tag) ? tag : {}).includes(unresolved))
      refuse(at(path, i), `must have a Key and a Value, got ${kindOf(tag)}`)
    return []
  })
  return Object.fromEntries(pairs)
}

function coerce(shape: Shape, value: unknown, path: string, refuse: Refuse): unknown {
  if (value === unresolved) return value
  const wrong = (wanted: string) => {
    refuse(path, `must be ${wanted}, got ${kindOf(value)}`)
    return unresolved
  }
  switch (shape.type) {
    case 'string':
      return scalarText(value) ?? wrong('a text')
    case 'integer':
    case 'timestamp': {
      const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value
      const isFit = typeof number === 'number' && (shape.type === 'timestamp' || Number.isInteger(number))
      return isFit ? number : wrong(shape.type === 'integer' ? 'a whole number' : 'seconds since 1970')
    }
    case 'boolean': {
      const text = scalarText(value)?.toLowerCase()
      return text === 'true' || text === 'false' ? text === 'true' : wrong('true or false')
    }
    case 'list':
      return Array.isArray(value)
        ? value.map((item: unknown, i) => coerce(shape.element, item, at(path, i), refuse))
        : wrong('a list')
    case 'map':
      if (!isTree(value)) return wrong('a map')
      return members(
        value,
        path,
        name => (shape.key.values?.includes(name) === false ? undefined : shape.value),
        refuse
      )
    case 'structure':
      return isTree(value)
        ? members(value, path, name => (Object.hasOwn(shape.members, name) ? shape.members[name] : undefined), refuse)
        : wrong('a map')
    default:
      throw new Error(`unknown shape ${JSON.stringify(shape satisfies never)}`)
  }
}

function members(tree: Tree, path: string, shapeOf: (name: string) => Shape | undefined, refuse: Refuse): unknown {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([written, value]): [string, unknown][] => {
      const name = apiName(written)
      const shape = shapeOf(name)
      if (shape !== undefined) return value === null ? [] : [[name, coerce(shape, value, at(path, written), refuse)]]
      refuse(at(path, written), 'is not known here: event source mappings have no such property')
      return []
    })
  )
}
