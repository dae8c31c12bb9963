import type { DemoFlags } from './cli/demo.ts'
import type { Io } from './io.ts'

/** Resolves with the exit code. */
export async function runDemo(_flags: DemoFlags, _io: Io): Promise<number> {
  throw new Error('millrace demo is not composed yet')
}
