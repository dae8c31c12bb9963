import type { Mapping, MappingState } from './mapping.ts'

/** What the fleet has to do for a mapping in this state. */
export type Wanted = 'run' | 'stop' | 'remove'

export function wanted(mapping: Mapping): Wanted {
  if (mapping.state === 'Deleting') return 'remove'
  return mapping.spec.enabled ? 'run' : 'stop'
}

/** Where a transition ends once the fleet has done its part; undefined when the mapping is settled already. */
export function settledState(mapping: Mapping): MappingState | undefined {
  switch (mapping.state) {
    case 'Creating':
    case 'Updating':
    case 'Enabling':
    case 'Disabling':
      return mapping.spec.enabled ? 'Enabled' : 'Disabled'
    case 'Enabled':
    case 'Disabled':
    case 'Deleting':
      return undefined
    default:
      throw new Error(`unknown state ${mapping.state satisfies never}`)
  }
}

/** The state an Update answers with (reference 1.6). */
export function stateOfUpdate(before: Mapping, enabled: boolean): MappingState {
  if (enabled !== before.spec.enabled) return enabled ? 'Enabling' : 'Disabling'
  return 'Updating'
}
