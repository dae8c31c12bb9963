import { randomUUID } from 'node:crypto'
import type { Author } from '../../src/core/mapping/history.ts'
import type { Mapping, MappingSpec } from '../../src/core/mapping/mapping.ts'

/** A spec that differs from any other in its consumer group only. */
export function aSpec(overrides: Partial<MappingSpec> = {}): MappingSpec {
  return {
    functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
    functionName: 'orders',
    source: { kind: 'self-managed', bootstrapServers: ['kafka:9092'] },
    topic: 'orders',
    consumerGroupId: randomUUID(),
    startingPosition: { kind: 'TRIM_HORIZON' },
    batchSize: 100,
    enabled: true,
    tags: {},
    ...overrides
  }
}

/** A mapping as Create leaves it in the store. */
export function aMapping(spec: Partial<MappingSpec> = {}, overrides: Partial<Omit<Mapping, 'spec'>> = {}): Mapping {
  return {
    uuid: randomUUID(),
    version: 1,
    specVersion: 1,
    spec: aSpec(spec),
    state: 'Creating',
    stateTransitionReason: 'USER_INITIATED',
    lastProcessingResult: 'No records processed',
    lastModifiedMs: 1_725_397_109_100,
    ...overrides
  }
}

/** Somebody who changes a mapping. */
export function anAuthor(overrides: Partial<Author> = {}): Author {
  return { who: 'alice', operation: 'UpdateEventSourceMapping20150331', atMs: 1_725_397_109_100, ...overrides }
}
