import { asObject, missingMember, readOne } from '../../core/mapping/constraints.ts'
import { tagsShape } from '../../core/mapping/fields.ts'
import type { Home } from '../../core/mapping/function-name.ts'
import { uuidOfArn } from '../../core/mapping/render.ts'
import { MillraceError } from '../../core/errors.ts'
import type { FunctionCatalog } from '../../ports/functions.ts'
import type { MappingService } from '../mapping-service.ts'
import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { Call, Route } from '../router.ts'
import type { TagList } from '../shapes.ts'
import { readJson } from './body.ts'

const path = '/2017-03-31/tags/{Resource}'
const done: Reply = { status: 204 }

/** As in AWS's model, wider in the region; of what it names we have functions and mappings. */
const resourceShape = {
  type: 'string',
  min: 1,
  max: 256,
  pattern:
    'arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}(-[a-z]+)+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}|capacity-provider:[a-zA-Z0-9-_]+)'
} as const

/** TagResource, UntagResource and ListTags of mappings (reference 1.11). */
export function tagRoutes(service: MappingService, functions: FunctionCatalog, home: Home): Route[] {
  return [
    {
      operation: 'ListTags',
      method: 'GET',
      path,
      access: 'read',
      handle: async call => {
        const arn = resource(call)
        // Tools ask for the tags of a function while they look it up; it has none.
        const isFunction = functions.list().some(entry => entry.arn === arn)
        const tags: TagList = { Tags: isFunction ? {} : await found(arn, service.tags(mappingOf(arn, home))) }
        return json(200, tags)
      }
    },
    {
      operation: 'TagResource',
      method: 'POST',
      path,
      access: 'write',
      handle: async call => {
        const arn = resource(call)
        const given = asObject(readJson(call.body), 'The request body')['Tags']
        if (given === undefined || given === null) throw missingMember('Tags')
        await found(arn, service.tag(mappingOf(arn, home), readOne(tagsShape, given, 'Tags'), call.principal))
        return done
      }
    },
    {
      operation: 'UntagResource',
      method: 'DELETE',
      path,
      access: 'write',
      handle: async call => {
        const arn = resource(call)
        const keys = call.query.filter(([name]) => name === 'tagKeys').map(([, key]) => key)
        if (keys.length === 0) throw missingMember('TagKeys')
        await found(arn, service.untag(mappingOf(arn, home), keys, call.principal))
        return done
      }
    }
  ]
}

const resource = (call: Call): string => readOne(resourceShape, call.parameters['Resource'] ?? '', 'Resource')

function mappingOf(arn: string, home: Home): string {
  if (arn.split(':')[5] === 'function') throw new MillraceError('MILL_PARAMETER_NOT_BUILT', ['tags of functions'])
  const uuid = uuidOfArn(arn, home)
  if (uuid === undefined) throw new MillraceError('MILL_TAG_TARGET_UNKNOWN', [arn])
  return uuid
}

/** AWS words a missing mapping in its own way here. */
async function found<T>(arn: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MILL_MAPPING_NOT_FOUND')
      throw new MillraceError('MILL_TAG_TARGET_UNKNOWN', [arn])
    throw error
  }
}
