import type { Readable, Writable } from 'node:stream'

/** What one command may touch of the process it runs in, so that tests can stand in for it. */
export interface Io {
  /** What `-` reads where a file may be named. */
  readonly stdin: Readable
  /** Data: what a script would read. */
  readonly stdout: Writable
  /** Talk: progress, log, errors. */
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  /**
   * Fires on the first SIGINT or SIGTERM, whose name is its `reason`: stop taking work and end within the grace. Whoever
   * heeds it resolves with its own exit code; a second signal ends the process without asking.
   */
  readonly stop: AbortSignal
  /** Columns of the terminal on stdout; undefined when stdout is no terminal. */
  readonly columns: number | undefined
  /** False when stdout is no terminal, or under `NO_COLOR`. */
  readonly colour: boolean
}
