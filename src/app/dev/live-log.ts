import { inspect, stripVTControlCharacters } from 'node:util'
import type { FunctionEvent } from '../../adapters/invoker/function-event.ts'
import type { Log, LogFields } from '../../ports/log.ts'
import type { PollerEvent } from '../../ports/poller-event.ts'
import type { Output } from '../cli/flags.ts'
import type { Io } from '../io.ts'
import { functionLine, pollerLine, type LineKind, type LiveLine } from './live-line.ts'

const colours: Readonly<Record<LineKind, number>> = {
  in: 36,
  call: 34,
  log: 39,
  ok: 32,
  failed: 31,
  'gave up': 35,
  waiting: 33,
  note: 90,
  problem: 31
}

const wordColumns = 8
/** Enough to tell the calls of an afternoon apart; JSON has them whole. */
const idColumns = 8
/** Calls whose beginning is kept, so that their end can tell how long they took. */
const maxOpenCalls = 10_000

/** Writes what happens as it happens: lines for people, or one JSON object a line. */
export class LiveLog {
  readonly #io: Pick<Io, 'stdout' | 'colour'>
  readonly #output: Output
  /** Name of the function by mapping. */
  readonly #functions = new Map<string, string>()
  readonly #began = new Map<string, number>()
  /** What happened before it was said what runs. */
  #early: string[] | undefined = []
  #labelColumns: number

  constructor(io: Pick<Io, 'stdout' | 'colour'>, output: Output, functions: readonly string[]) {
    this.#io = io
    this.#output = output
    this.#labelColumns = Math.max(6, ...functions.map(name => name.length))
  }

  mapping(uuid: string, functionName: string): void {
    this.#functions.set(uuid, functionName)
    this.#labelColumns = Math.max(this.#labelColumns, functionName.length)
  }

  poller(event: PollerEvent, atMs: number): void {
    const label = this.#functions.get(event.mapping) ?? ''
    if (this.#output === 'json') this.#json(atMs, { function: label, ...event })
    const line = pollerLine(event, this.#tookMs(event, atMs))
    if (line !== undefined) this.#text(atMs, label, line)
  }

  function(event: FunctionEvent, atMs: number): void {
    // Pollers and `dev` itself have kinds of the same names.
    if (this.#output === 'json') this.#json(atMs, { ...event, kind: `function-${event.kind}` })
    const line = functionLine(event)
    if (line !== undefined) this.#text(atMs, event.function, line)
  }

  /** About `millrace dev` itself, with its fields for programs. */
  say(line: LiveLine, fields: { readonly kind: string } & LogFields): void {
    const atMs = Date.now()
    if (this.#output === 'json') this.#json(atMs, fields)
    this.#text(atMs, '', line)
  }

  /** For programs alone. */
  record(fields: { readonly kind: string } & LogFields): void {
    if (this.#output === 'json') this.#json(Date.now(), fields)
  }

  /** Says what runs, in lines without a time; not for programs. What happened before comes after it. */
  introduce(lines: readonly string[]): void {
    if (this.#output === 'text') this.#io.stdout.write(lines.map(line => `${line}\n`).join(''))
    const early = this.#early ?? []
    this.#early = undefined
    for (const line of early) this.#io.stdout.write(line)
  }

  dim(text: string): string {
    return this.#tint('note', text)
  }

  /** What the server logs of its own troubles, in the same place; of functions and calls the events tell. */
  get serverLog(): Log {
    const tell = (level: 'warn' | 'error') => (fields: LogFields, message: string) => {
      if (fields['function'] !== undefined) return
      const error = fields['err'] ?? fields['error']
      const reason = error === undefined ? '' : `: ${error instanceof Error ? error.message : inspect(error)}`
      this.say(
        { kind: 'problem', text: `${message}${reason}` },
        { kind: 'problem', level, message: `${message}${reason}` }
      )
    }
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: tell('warn'),
      error: tell('error'),
      child: () => log
    }
    return log
  }

  #tookMs(event: PollerEvent, atMs: number): number | undefined {
    if (event.kind === 'call-started' && this.#began.size < maxOpenCalls) this.#began.set(event.requestId, atMs)
    if (event.kind !== 'call-ended') return undefined
    const began = this.#began.get(event.requestId)
    this.#began.delete(event.requestId)
    return began === undefined ? undefined : Math.max(0, atMs - began)
  }

  #json(atMs: number, fields: object): void {
    this.#io.stdout.write(`${JSON.stringify({ time: new Date(atMs).toISOString(), ...fields })}\n`)
  }

  #text(atMs: number, label: string, { kind, word = kind, requestId, text }: LiveLine): void {
    if (this.#output === 'json') return
    const time = new Date(atMs).toTimeString().slice(0, 8)
    const ms = String(atMs % 1_000).padStart(3, '0')
    const id = requestId === undefined ? '' : `${this.#tint('note', requestId.slice(0, idColumns))}  `
    // A function may colour its lines; what takes no colours gets none.
    const shown = this.#io.colour ? text : stripVTControlCharacters(text)
    const line = `${this.#tint('note', `${time}.${ms}`)}  ${label.padEnd(this.#labelColumns)}  ${this.#tint(kind, word.padEnd(wordColumns))}  ${id}${shown}\n`
    if (this.#early === undefined) this.#io.stdout.write(line)
    else this.#early.push(line)
  }

  #tint(kind: LineKind, text: string): string {
    return this.#io.colour ? `\u001B[${colours[kind]}m${text}\u001B[0m` : text
  }
}
