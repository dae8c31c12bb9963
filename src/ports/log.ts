/** Structured log lines. `fields` uses the project's names: mapping, topic, partition, offset, requestId. Never a secret. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log whose every line also carries `fields`. */
  child(fields: LogFields): Log
}

export type LogFields = Readonly<Record<string, unknown>>

/** The least that is written. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
