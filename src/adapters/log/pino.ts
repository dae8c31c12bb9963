import {
  destination as openDestination,
  pino,
  stdSerializers,
  stdTimeFunctions,
  type DestinationStream,
  type Logger
} from 'pino'
import type { Log, LogFields, LogLevel } from '../../ports/log.ts'
import { redact } from './redact.ts'

export interface LogOptions {
  readonly level: LogLevel
  /** stderr unless given: stdout is for data. */
  readonly destination?: DestinationStream
}

/** JSON lines: `level`, `time` (ISO 8601, UTC), `pid`, the fields, `message`. Usable from any thread. */
export function openLog({ level, destination = stderr() }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }), log: redact },
      serializers: { err: stdSerializers.err, error: stdSerializers.err }
    },
    destination
  )
  return toLog(logger)
}

// Written at once: the last lines before a crash are the ones somebody will look for.
const stderr = (): DestinationStream => openDestination({ fd: 2, sync: true })

/** Bindings are ours, not pino's: a line that names a field of its log again would hold the name twice. */
const toLog = (logger: Logger, bindings: LogFields = {}): Log => ({
  debug: (fields, message) => logger.debug({ ...bindings, ...fields }, message),
  info: (fields, message) => logger.info({ ...bindings, ...fields }, message),
  warn: (fields, message) => logger.warn({ ...bindings, ...fields }, message),
  error: (fields, message) => logger.error({ ...bindings, ...fields }, message),
  child: fields => toLog(logger, { ...bindings, ...fields })
})
