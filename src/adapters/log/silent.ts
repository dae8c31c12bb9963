import type { Log } from '../../ports/log.ts'

const nothing = (): void => undefined

/** Says nothing. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog }
