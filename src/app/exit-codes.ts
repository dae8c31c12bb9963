import { MillraceError } from '../core/errors.ts'
import { ApiRefusal } from './mappings/api-refusal.ts'

/** The program's promises to scripts. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  /** 128 + SIGINT, as shells say it. */
  interrupted: 130,
  /** 128 + SIGTERM. */
  terminated: 143
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What only somebody at the command line can have done wrong. */
const usageCodes: ReadonlySet<string> = new Set([
  'MILL_FILTER_PATTERN',
  'MILL_FILTER_INPUT',
  'MILL_RECORD_INVALID',
  'MILL_FILE_UNREADABLE',
  'MILL_DEV_NOTHING',
  'MILL_DEV_FUNCTION',
  'MILL_DEV_MAPPING',
  'MILL_TEMPLATE',
  'MILL_TEMPLATE_UNREADABLE'
])
const notFoundCodes: ReadonlySet<string> = new Set(['MILL_TOPIC_UNKNOWN', 'MILL_DEV_NOT_FOUND'])

/** How a command that ended with `error` exits. A configuration that cannot be used is a usage error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof MillraceError || error instanceof ApiRefusal)) return exitCodes.failure
  if (error.code?.startsWith('MILL_CONFIG_') || usageCodes.has(error.code ?? '')) return exitCodes.usage
  if (error.status === 404 || notFoundCodes.has(error.code ?? '')) return exitCodes.notFound
  if (error.status === 403) return exitCodes.notAllowed
  return exitCodes.failure
}
