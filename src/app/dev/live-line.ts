import type { FunctionEvent } from '../../adapters/invoker/function-event.ts'
import { problemPrefix, saysBatchFails } from '../../core/mapping/processing-result.ts'
import type { CallEndedMessage, GivenUpMessage, PollerEvent, RecordRange } from '../../ports/poller-event.ts'

/** What a line of the live log is about: each has a colour. */
export type LineKind = 'in' | 'call' | 'log' | 'ok' | 'failed' | 'gave up' | 'waiting' | 'note' | 'problem'

export interface LiveLine {
  readonly kind: LineKind
  /** Absent: as `kind` says. */
  readonly word?: string
  readonly requestId?: string
  readonly text: string
}

/** A poller's event in words; undefined: nothing for people. `tookMs`: of the call that has ended. */
export function pollerLine(event: PollerEvent, tookMs: number | undefined): LiveLine | undefined {
  switch (event.kind) {
    case 'fetched': {
      const { topic, partition, first, last, records, filteredOut } = event
      const filtered = filteredOut === 0 ? '' : `, ${filteredOut} filtered out`
      const range = rangesText([{ topic, partition, first, last }])
      return { kind: 'in', text: `${range}  ${recordsText(records)}${filtered}` }
    }
    case 'call-started': {
      const { requestId, records, partitions } = event
      return { kind: 'call', requestId, text: `${recordsText(records)}  ${rangesText(partitions)}` }
    }
    case 'call-ended':
      return callEndedLine(event, tookMs)
    case 'given-up': {
      const { requestId, destination } = event
      const where = destination === undefined ? 'dropped: the mapping has no destination' : `to ${destination}`
      return { kind: 'gave up', requestId, text: `${givenUpText(event)}, ${where}` }
    }
    case 'held': {
      const { requestId, destination, error, waitMs } = event
      const text = `${givenUpText(event)}, but ${destination ?? 'the destination'} did not take them: ${firstLine(error)}; again ${inText(waitMs)}`
      return { kind: 'waiting', word: 'held', requestId, text }
    }
    case 'result':
      return event.text.startsWith(problemPrefix) && !saysBatchFails(event.text)
        ? { kind: 'problem', text: event.text.slice(problemPrefix.length) }
        : undefined
    case 'assigned':
    case 'released':
    case 'committed':
      return undefined
    default:
      throw new Error(`no line for ${JSON.stringify(event satisfies never)}`)
  }
}

function callEndedLine(event: CallEndedMessage, tookMs: number | undefined): LiveLine {
  const { requestId, records, step, error = '', failed, failures = 0, waitMs = 0 } = event
  const took = tookMs === undefined ? '' : `${tookMs} ms`
  if (step === 'settle') return { kind: 'ok', requestId, text: took }
  const which = failed === undefined ? '' : `${failed} of ${recordsText(records)}: `
  const what = `${took === '' ? '' : `${took}  `}${which}${firstLine(error)}`
  if (step === 'split') return { kind: 'failed', requestId, text: `${what}; the batch is split in two` }
  if (step === 'discard') return { kind: 'failed', requestId, text: `${what}; not tried again` }
  // Nothing ran: the function was busy, or could not be reached.
  if (failures === 0) return { kind: 'waiting', requestId, text: `${what}; again ${inText(waitMs)}` }
  const times = failures === 1 ? 'once' : `${failures} times`
  return { kind: 'failed', requestId, text: `${what}; failed ${times}, again ${inText(waitMs)}` }
}

/** What happens to a function's processes; what its calls come to, pollers tell. */
export function functionLine(event: FunctionEvent): LiveLine | undefined {
  switch (event.kind) {
    case 'line':
      return {
        kind: 'log',
        text: event.text,
        ...(event.requestId === undefined ? {} : { requestId: event.requestId })
      }
    case 'started':
      if (event.inspectPort === undefined) return undefined
      return { kind: 'note', word: 'debugger', text: `waits at 127.0.0.1:${event.inspectPort} (process ${event.pid})` }
    case 'start-failed':
      return {
        kind: 'problem',
        word: 'broken',
        text: `cannot be started: ${event.errorType}: ${firstLine(event.errorMessage)}`
      }
    case 'crashed':
      return { kind: 'problem', word: 'crashed', requestId: event.requestId, text: firstLine(event.errorMessage) }
    case 'dropped':
      return { kind: 'note', text: `${event.bytes} bytes of its output were left out: there was too much` }
    case 'reloaded':
      return { kind: 'note', word: 'reload', text: `${event.file} changed: calls go to new processes` }
    case 'ready':
    case 'called':
    case 'answered':
    case 'ended':
      return undefined
    default:
      throw new Error(`no line for ${JSON.stringify(event satisfies never)}`)
  }
}

export const recordsText = (records: number): string => `${records} ${records === 1 ? 'record' : 'records'}`

const givenUpReasons: Readonly<Record<GivenUpMessage['condition'], string>> = {
  retries: 'after the last try',
  size: 'as no event can hold it',
  age: 'as they are too old'
}

const givenUpText = ({ records, calls, condition, partitions }: GivenUpMessage): string =>
  `${recordsText(records)}  ${rangesText(partitions)}  ${givenUpReasons[condition]}, ${calls} ${calls === 1 ? 'call' : 'calls'}`

/** Partitions that are named each. */
const namedRanges = 4

/** `orders-0@3..7`; many are counted. */
export function rangesText(ranges: readonly RecordRange[]): string {
  const texts = ranges
    .slice(0, namedRanges)
    .map(({ topic, partition, first, last }) => `${topic}-${partition}@${first === last ? first : `${first}..${last}`}`)
  const more = ranges.length - texts.length
  return more > 0 ? `${texts.join(' ')} and ${more} more partitions` : texts.join(' ')
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''

const inText = (ms: number): string => (ms < 1_000 ? `in ${Math.round(ms)} ms` : `in ${(ms / 1_000).toFixed(1)} s`)
