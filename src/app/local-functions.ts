import type { LocalFunction } from '../adapters/invoker/function-host.ts'
import type { Config } from './config.ts'

/** The functions of the configuration that run as processes of ours. */
export function localFunctions({ functions, baseDir }: Config): LocalFunction[] {
  return Object.entries(functions).flatMap(([name, given]) => {
    if (given.kind !== 'handler') return []
    const { kind: _kind, ...local } = given
    return [{ name, baseDir, ...local }]
  })
}
