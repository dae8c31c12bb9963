import { resolve } from 'node:path'
import type { LocalFunction } from '../adapters/invoker/function-host.ts'
import type { Config } from './config.ts'

/** The functions of the configuration that run as processes of ours. */
export function localFunctions({ functions, baseDir }: Pick<Config, 'functions' | 'baseDir'>): LocalFunction[] {
  return Object.entries(functions).flatMap(([name, given]) => {
    if (given.kind !== 'handler' && given.kind !== 'command') return []
    const { directory, reload, handler, timeoutSeconds, concurrency, environment, memoryMiB } = given
    const local = { name, handler, timeoutSeconds, concurrency, environment, memoryMiB, baseDir: directory ?? baseDir }
    // False is no word against `millrace dev`, which reloads them all.
    const more = { ...(reload ? { reload } : {}), ...(directory === undefined ? {} : { sourceDir: directory }) }
    if (given.kind === 'handler') {
      return [{ ...local, ...more, ...(given.runtime === undefined ? {} : { runtime: given.runtime }) }]
    }
    const [program = '', ...args] = given.command
    const file = program.includes('/') ? resolve(baseDir, program) : program
    return [{ ...local, ...more, command: [file, ...args] }]
  })
}
