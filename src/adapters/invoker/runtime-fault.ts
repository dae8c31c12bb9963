import type { RuntimeFault } from './local-function.ts'
import type { CallEnd, StartFailure } from './runtime-process.ts'

/** Kept of texts that a function makes. */
const maxText = 2_048

/** How a call ended, for people. */
export function outcomeOf(
  end: CallEnd
): { readonly outcome: 'returned' } | ({ readonly outcome: 'failed' } & RuntimeFault) {
  return end.kind === 'returned' ? { outcome: 'returned' } : { outcome: 'failed', ...faultOf(end.error) }
}

/** Why a process never asked for work, for people. */
export function wordsOf(failure: StartFailure): RuntimeFault {
  if (failure.kind === 'no-process') return { errorType: 'Millrace.NoProcess', errorMessage: failure.message }
  return faultOf(Buffer.isBuffer(failure.error) ? failure.error : failure.error('-'))
}

/** JSON of a runtime is read as what it may be: anything. */
function faultOf(error: Buffer | RuntimeFault): RuntimeFault {
  if (!Buffer.isBuffer(error)) return error
  const text = error.subarray(0, 262_144).toString('utf8')
  let said: Partial<Record<keyof RuntimeFault, unknown>> | null | undefined
  try {
    said = JSON.parse(text) as typeof said
  } catch {
    // Not JSON: it is shown as it is.
  }
  const errorType = said?.errorType
  const errorMessage = said?.errorMessage
  return {
    errorType: typeof errorType === 'string' ? errorType.slice(0, 256) : 'Unhandled',
    errorMessage: (typeof errorMessage === 'string' ? errorMessage : text).slice(0, maxText)
  }
}
