import type { Mapping, MappingSpec } from '../../src/core/mapping/mapping.ts'

export function aSpec(overrides: Partial<MappingSpec> = {}): MappingSpec {
  return {
    functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
    functionName: 'orders',
    source: { kind: 'self-managed', bootstrapServers: ['127.0.0.1:9092'] },
    topic: 'orders',
    consumerGroupId: 'group-1',
    startingPosition: { kind: 'TRIM_HORIZON' },
    batchSize: 10,
    enabled: true,
    tags: {},
    ...overrides
  }
}

export function aMapping(overrides: Partial<Mapping> = {}): Mapping {
  return {
    uuid: '0b1c2d3e-0000-4000-8000-000000000001',
    version: 1,
    specVersion: 1,
    spec: aSpec(),
    state: 'Creating',
    stateTransitionReason: 'USER_INITIATED',
    lastProcessingResult: 'No records processed',
    lastModifiedMs: 1_700_000_000_000,
    ...overrides
  }
}
