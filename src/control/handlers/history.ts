import type { HistoryEntry } from '../../core/mapping/history.ts'
import type { MappingService } from '../mapping-service.ts'
import { json } from '../reply.ts'
import type { Route } from '../router.ts'
import type { MappingHistory, MappingHistoryEntry } from '../shapes.ts'
import { maxItems, queryValue } from './listing.ts'
import { uuid } from './mappings.ts'

/** Who changed a mapping, from what to what. AWS has this in CloudTrail; the operation and its path are our own. */
export function historyRoutes(service: MappingService): Route[] {
  return [
    {
      operation: 'GetEventSourceMappingHistory',
      method: 'GET',
      path: '/millrace/v1/event-source-mappings/{UUID}/history',
      access: 'read',
      handle: async call => {
        const page = await service.history(uuid(call.parameters), maxItems(call), queryValue(call, 'Marker'))
        const history: MappingHistory = {
          History: page.entries.map(render),
          ...(page.next === undefined ? {} : { NextMarker: page.next })
        }
        return json(200, history)
      }
    }
  ]
}

const render = ({ atMs, who, operation, changes }: HistoryEntry): MappingHistoryEntry => ({
  At: atMs / 1000,
  Who: who,
  Operation: operation,
  Changes: changes.map(({ field, from, to }) => ({
    Field: field,
    ...(from === undefined ? {} : { From: from }),
    ...(to === undefined ? {} : { To: to })
  }))
})
