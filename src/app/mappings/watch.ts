import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import type { Mapping, MappingsApi } from './api.ts'
import { getOrGone } from './settle.ts'
import type { Format } from './flags.ts'
import { formatOf, mappingHead, mappingRow } from './present.ts'
import { tabbed, table } from './table.ts'

const pollMs = 1_000

/** A mapping as it is now; `gone` when it was deleted. */
interface Sight {
  readonly mapping: Mapping
  readonly gone: boolean
}

/** Follows state and last result until it is stopped, or the one mapping that was asked for has gone. */
export class Watch {
  readonly #api: MappingsApi
  readonly #uuid: string | undefined
  readonly #io: Io
  readonly #show: (sights: readonly Sight[], changed: readonly Sight[]) => void
  /** By UUID, as last seen. */
  #seen = new Map<string, Mapping>()
  #silent = false

  constructor(api: MappingsApi, uuid: string | undefined, output: Format | undefined, io: Io) {
    this.#api = api
    this.#uuid = uuid
    this.#io = io
    const format = formatOf(output, io)
    const picture = new TerminalTable(io)
    this.#show =
      format === 'table' && io.columns !== undefined
        ? sights => {
            picture.draw(sights)
          }
        : (_, changed) => {
            for (const sight of changed) io.stdout.write(lineOf(sight, format))
          }
  }

  /** Resolves with the exit code when the mapping has gone; rejects when it never was, and when it is stopped. */
  async run(): Promise<number> {
    for (let first = true; ; first = false) {
      const sights = await this.#look(first)
      if (sights !== undefined) {
        const changed = sights.filter(sight => this.#isNew(sight))
        if (first || changed.length > 0) this.#show(sights, changed)
        this.#seen = new Map(sights.flatMap(({ mapping, gone }) => (gone ? [] : [[mapping.UUID ?? '', mapping]])))
        if (this.#uuid !== undefined && this.#seen.size === 0) return exitCodes.ok
      }
      await pause(pollMs, undefined, { signal: this.#io.stop })
    }
  }

  /** A server that does not answer may be starting anew: after the first look that is waited for. */
  async #look(first: boolean): Promise<Sight[] | undefined> {
    try {
      const present = await this.#present(first)
      if (this.#silent) this.#io.stderr.write('millrace: the API answers again\n')
      this.#silent = false
      const uuids = new Set(present.map(mapping => mapping.UUID))
      const gone = [...this.#seen.values()].filter(mapping => !uuids.has(mapping.UUID))
      return [...present.map(mapping => ({ mapping, gone: false })), ...gone.map(mapping => ({ mapping, gone: true }))]
    } catch (error) {
      const isSilence = error instanceof MillraceError && error.code === 'MILL_API_UNREACHABLE'
      if (first || !isSilence) throw error
      if (!this.#silent) this.#io.stderr.write(`millrace: ${error.message} Asking again every second.\n`)
      this.#silent = true
      return undefined
    }
  }

  async #present(first: boolean): Promise<Mapping[]> {
    if (this.#uuid === undefined) return Array.fromAsync(this.#api.list())
    if (first) return [await this.#api.get(this.#uuid)]
    const mapping = await getOrGone(this.#api, this.#uuid)
    return mapping === undefined ? [] : [mapping]
  }

  #isNew({ mapping, gone }: Sight): boolean {
    const before = this.#seen.get(mapping.UUID ?? '')
    return (
      gone ||
      before === undefined ||
      before.State !== mapping.State ||
      before.StateTransitionReason !== mapping.StateTransitionReason ||
      before.LastProcessingResult !== mapping.LastProcessingResult
    )
  }
}

/** AWS has no word for a mapping that is no more. */
const stateOf = ({ mapping, gone }: Sight): string => (gone ? 'Deleted' : (mapping.State ?? ''))

function lineOf(sight: Sight, format: Format): string {
  const { UUID, FunctionArn, Topics, StateTransitionReason, LastProcessingResult } = sight.mapping
  const At = new Date().toISOString()
  const State = stateOf(sight)
  if (format === 'json') {
    return `${JSON.stringify({ At, UUID, FunctionArn, Topics, State, StateTransitionReason, LastProcessingResult })}\n`
  }
  return tabbed([[At, ...mappingRow(sight.mapping, State)]])
}

/** Redraws itself in place. */
class TerminalTable {
  readonly #io: Io
  #drawn = 0

  constructor(io: Io) {
    this.#io = io
  }

  draw(sights: readonly Sight[]): void {
    const rows = sights.map(sight => mappingRow(sight.mapping, stateOf(sight)))
    const room = Math.max(1, this.#height() - 3)
    const hidden = Math.max(0, rows.length - room)
    const text =
      table(mappingHead, rows.slice(0, room), this.#io) +
      (hidden > 0 ? `… and ${hidden} more: name one to watch\n` : '')
    this.#io.stdout.write(`${this.#drawn > 0 ? `\u001B[${this.#drawn}A\u001B[0J` : ''}${text}`)
    this.#drawn = text.split('\n').length - 1
  }

  /** Lines of the terminal; a picture taller than it could not be drawn over. */
  #height(): number {
    const { stdout } = this.#io
    return 'rows' in stdout && typeof stdout.rows === 'number' ? stdout.rows : 24
  }
}
