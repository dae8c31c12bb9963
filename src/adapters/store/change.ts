import type { Mapping } from '../../core/mapping/mapping.ts'
import type { MappingChange } from '../../ports/mapping-store.ts'

/** The mapping after a change: its version grows, its specVersion when the spec was given. */
export function applyChange(before: Mapping, change: MappingChange): Mapping {
  const spec = change.spec ?? before.spec
  return {
    uuid: before.uuid,
    version: before.version + 1,
    specVersion: before.specVersion + (change.spec === undefined ? 0 : 1),
    spec: change.tags === undefined ? spec : { ...spec, tags: change.tags },
    state: change.state ?? before.state,
    stateTransitionReason: change.stateTransitionReason ?? before.stateTransitionReason,
    lastProcessingResult: change.lastProcessingResult ?? before.lastProcessingResult,
    lastModifiedMs: change.lastModifiedMs ?? before.lastModifiedMs
  }
}
