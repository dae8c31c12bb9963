import {
  destination as openDestination,
  pino,
  stdSerializers,
  stdTimeFunctions,
  type DestinationStream,
  type Logger
} from 'pino'
import type { Log, LogLevel } from '../../ports/log.ts'
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

const toLog = (logger: Logger): Log => ({
  debug: (fields, message) => logger.debug(fields, message),
  info: (fields, message) => logger.info(fields, message),
  warn: (fields, message) => logger.warn(fields, message),
  error: (fields, message) => logger.error(fields, message),
  // pino formats the bindings of a root logger only.
  child: fields => toLog(logger.child(redact(fields)))
})
