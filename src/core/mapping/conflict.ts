import { MillraceError } from '../errors.ts'
import type { EventSource, Mapping } from './mapping.ts'

/**
 * Why `mapping` may not stand beside `others`, or undefined (reference 1.9, 1.2 rule 6). Same function, topic and a common
 * source: `MILL_MAPPING_CONFLICT`. Same consumer group and a common source: `MILL_GROUP_CONFLICT`, for two pollers that do
 * not know of each other would take each other's partitions. A mapping does not conflict with itself.
 */
export function conflictOf(mapping: Mapping, others: Iterable<Mapping>): MillraceError | undefined {
  let sharedGroup: Mapping | undefined
  for (const other of others) {
    if (other.uuid === mapping.uuid || !overlaps(mapping.spec.source, other.spec.source)) continue
    if (other.spec.functionArn === mapping.spec.functionArn && other.spec.topic === mapping.spec.topic) {
      const { source, functionArn, topic } = mapping.spec
      return new MillraceError('MILL_MAPPING_CONFLICT', [sourceText(source), functionArn, topic, other.uuid])
    }
    if (other.spec.consumerGroupId === mapping.spec.consumerGroupId) sharedGroup ??= other
  }
  if (sharedGroup === undefined) return undefined
  const { consumerGroupId, source } = mapping.spec
  return new MillraceError('MILL_GROUP_CONFLICT', [consumerGroupId, sourceText(source), sharedGroup.uuid])
}

/** The servers as the request lists them, joined by commas (reference 1.9). */
export const sourceText = (source: EventSource): string =>
  source.kind === 'msk' ? source.arn : source.bootstrapServers.join(',')

/** The same cluster as far as names tell: equal ARN, or any bootstrap server in common. */
function overlaps(a: EventSource, b: EventSource): boolean {
  if (a.kind === 'msk' || b.kind === 'msk') return a.kind === 'msk' && b.kind === 'msk' && a.arn === b.arn
  const servers = new Set(a.bootstrapServers.map(server => server.toLowerCase()))
  return b.bootstrapServers.some(server => servers.has(server.toLowerCase()))
}
