import { readOne } from '../../core/mapping/constraints.ts'
import { arnShape } from '../../core/mapping/fields.ts'
import type { Home } from '../../core/mapping/function-name.ts'
import { renderMapping } from '../../core/mapping/render.ts'
import type { MappingService } from '../mapping-service.ts'
import { json } from '../reply.ts'
import type { Route } from '../router.ts'
import type { EventSourceMappingList } from '../shapes.ts'
import { readJson } from './body.ts'
import { maxItems, queryValue } from './listing.ts'

const collection = '/2015-03-31/event-source-mappings'
const one = `${collection}/{UUID}`

/** Create, Get, List, Update and Delete of event source mappings. */
export function mappingRoutes(service: MappingService, home: Home): Route[] {
  return [
    {
      operation: 'CreateEventSourceMapping',
      method: 'POST',
      path: collection,
      access: 'write',
      handle: async call => json(202, renderMapping(await service.create(readJson(call.body), call.principal), home))
    },
    {
      operation: 'GetEventSourceMapping',
      method: 'GET',
      path: one,
      access: 'read',
      handle: async call => json(200, renderMapping(await service.get(uuid(call.parameters)), home))
    },
    {
      operation: 'ListEventSourceMappings',
      method: 'GET',
      path: collection,
      access: 'read',
      handle: async call => {
        const functionName = queryValue(call, 'FunctionName')
        const eventSourceArn = queryValue(call, 'EventSourceArn')
        const marker = queryValue(call, 'Marker')
        const items = maxItems(call)
        const page = await service.list({
          ...(functionName === undefined ? {} : { functionName }),
          ...(eventSourceArn === undefined
            ? {}
            : { eventSourceArn: readOne(arnShape, eventSourceArn, 'EventSourceArn') }),
          ...(marker === undefined ? {} : { marker }),
          ...(items === undefined ? {} : { maxItems: items })
        })
        const list: EventSourceMappingList = {
          EventSourceMappings: page.mappings.map(mapping => renderMapping(mapping, home)),
          ...(page.next === undefined ? {} : { NextMarker: page.next })
        }
        return json(200, list)
      }
    },
    {
      operation: 'UpdateEventSourceMapping',
      method: 'PUT',
      path: one,
      access: 'write',
      handle: async call => {
        const mapping = await service.update(uuid(call.parameters), readJson(call.body), call.principal)
        return json(202, renderMapping(mapping, home))
      }
    },
    {
      operation: 'DeleteEventSourceMapping',
      method: 'DELETE',
      path: one,
      access: 'write',
      handle: async call => json(202, renderMapping(await service.delete(uuid(call.parameters), call.principal), home))
    }
  ]
}

/** UUIDs are stored in lower case; whoever writes one in capitals means the same mapping. */
export const uuid = (parameters: Readonly<Record<string, string>>): string => (parameters['UUID'] ?? '').toLowerCase()
