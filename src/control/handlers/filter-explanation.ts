import { sampledEvery } from '../../core/filter/refusals.ts'
import type { RefusalCounts } from '../../ports/refusal-counts.ts'
import type { MappingService } from '../mapping-service.ts'
import { json } from '../reply.ts'
import type { Route } from '../router.ts'
import type { FilterExplanation } from '../shapes.ts'
import { uuid } from './mappings.ts'

/** Which conditions of a mapping's filters refuse records. AWS has nothing like it: operation and path are our own. */
export function filterExplanationRoutes(service: MappingService, refusals: RefusalCounts | undefined): Route[] {
  return [
    {
      operation: 'GetEventSourceMappingFilterExplanation',
      method: 'GET',
      path: '/millrace/v1/event-source-mappings/{UUID}/filter-explain',
      access: 'read',
      handle: async call => {
        const { uuid: mapping, spec } = await service.get(uuid(call.parameters))
        const filters = spec.filters ?? []
        const counted = refusals?.of(mapping, filters)
        const explanation: FilterExplanation = {
          UUID: mapping,
          Enabled: spec.tags['millrace:filter-explain'] === 'on',
          SampledEvery: sampledEvery,
          SampledEventCount: counted?.records ?? 0,
          ...(counted === undefined ? {} : { Since: counted.sinceMs / 1000 }),
          Filters: filters.map((Pattern, at) => ({
            Pattern,
            RefusedBy: (counted?.by ?? [])
              .filter(({ pattern }) => pattern === at)
              .map(({ condition, records }) => ({ Condition: condition, SampledEventCount: records }))
          }))
        }
        return json(200, explanation)
      }
    }
  ]
}
