import { once } from 'node:events'
import { exitCodes, type ExitCode } from './exit-codes.ts'

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const
export type StopSignal = keyof typeof codes
const names = Object.keys(codes) as StopSignal[]

/** `process`, as far as signals go. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown
}

export interface StopSignals extends Disposable {
  /** Fires on the first signal; its `reason` is the signal's name. */
  readonly stop: AbortSignal
}

/** The first signal asks for a graceful stop, a second one calls `exit` at once. Disposing gives signals back. */
export function listenForSignals(source: SignalSource, exit: (code: ExitCode) => void): StopSignals {
  const stopping = new AbortController()
  const heard = (signal: StopSignal): void => {
    if (stopping.signal.aborted) exit(codes[signal])
    else stopping.abort(signal)
  }
  for (const name of names) source.on(name, heard)
  return {
    stop: stopping.signal,
    [Symbol.dispose]: () => names.forEach(name => source.off(name, heard))
  }
}

/** Resolves when the stop is asked for. */
export async function stopAsked(stop: AbortSignal): Promise<void> {
  if (!stop.aborted) await once(stop, 'abort')
}

/** How a command exits whose work was cut short by the signal. */
export const interruptedBy = (stop: AbortSignal): ExitCode =>
  stop.reason === 'SIGTERM' ? exitCodes.terminated : exitCodes.interrupted
