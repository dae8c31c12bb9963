import { Announcer } from '../../src/adapters/store/announcer.ts'
import { applyChange } from '../../src/adapters/store/change.ts'
import { readMarker, writeMarker } from '../../src/adapters/store/marker.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { conflictOf } from '../../src/core/mapping/conflict.ts'
import { changesBetween, isFleetOperation, keptEntries } from '../../src/core/mapping/history.ts'
import type { Author, HistoryEntry } from '../../src/core/mapping/history.ts'
import type { Mapping } from '../../src/core/mapping/mapping.ts'
import type {
  HistoryPage,
  MappingChange,
  MappingFilter,
  MappingPage,
  MappingStore
} from '../../src/ports/mapping-store.ts'

/** A store that forgets; it passes the same contract as the real ones. `failNext` makes the next call fail once. */
export class MemoryStore implements MappingStore {
  readonly #mappings = new Map<string, { readonly seq: number; readonly mapping: Mapping }>()
  readonly #announcer = new Announcer()
  #history: { readonly seq: number; readonly uuid: string; readonly entry: HistoryEntry }[] = []
  #seq = 0
  #failure: string | undefined
  #closed = false

  failNext(message: string): void {
    this.#failure = message
  }

  async insert(mapping: Mapping, author: Author): Promise<void> {
    this.#enter()
    if (this.#mappings.has(mapping.uuid)) throw new MillraceError('MILL_STORE_UNAVAILABLE', ['the UUID is taken'])
    this.#refuseConflict(mapping)
    this.#mappings.set(mapping.uuid, { seq: ++this.#seq, mapping: structuredClone(mapping) })
    this.#keep(undefined, mapping, author)
    this.#announcer.announce(mapping.uuid)
  }

  async get(uuid: string): Promise<Mapping | undefined> {
    this.#enter()
    return structuredClone(this.#mappings.get(uuid)?.mapping)
  }

  async list(filter: MappingFilter, limit: number, after?: string): Promise<MappingPage> {
    this.#enter()
    const seq = after === undefined ? 0 : readMarker(after)
    const found = [...this.#mappings.values()].filter(entry => entry.seq > seq && matches(entry.mapping, filter))
    const page = found.slice(0, limit)
    const last = page.at(-1)
    const mappings = page.map(entry => structuredClone(entry.mapping))
    return found.length > limit && last !== undefined ? { mappings, next: writeMarker(last.seq) } : { mappings }
  }

  async update(uuid: string, version: number, change: MappingChange, author: Author): Promise<Mapping | undefined> {
    this.#enter()
    const entry = this.#mappings.get(uuid)
    if (entry?.mapping.version !== version) return undefined
    const changed = structuredClone(applyChange(entry.mapping, change))
    if (change.spec !== undefined) this.#refuseConflict(changed)
    this.#mappings.set(uuid, { seq: entry.seq, mapping: changed })
    this.#keep(entry.mapping, changed, author)
    this.#announcer.announce(uuid)
    return structuredClone(changed)
  }

  async remove(uuid: string, version: number, author: Author): Promise<boolean> {
    this.#enter()
    const entry = this.#mappings.get(uuid)
    if (entry?.mapping.version !== version) return false
    this.#mappings.delete(uuid)
    this.#keep(entry.mapping, undefined, author)
    this.#announcer.announce(uuid)
    return true
  }

  async history(uuid: string, limit: number, after?: string): Promise<HistoryPage> {
    this.#enter()
    const seq = after === undefined ? 0 : readMarker(after)
    const found = this.#history.filter(kept => kept.uuid === uuid && kept.seq > seq)
    const page = found.slice(0, limit)
    const last = page.at(-1)
    const entries = page.map(kept => structuredClone(kept.entry))
    return found.length > limit && last !== undefined ? { entries, next: writeMarker(last.seq) } : { entries }
  }

  watch(listener: (uuid: string) => void): () => void {
    return this.#announcer.watch(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#announcer.close()
  }

  #keep(before: Mapping | undefined, after: Mapping | undefined, author: Author): void {
    const uuid = (after ?? before)?.uuid ?? ''
    const entry = structuredClone({ ...author, changes: changesBetween(before, after) })
    this.#history.push({ seq: ++this.#seq, uuid, entry })
    const byFleet = isFleetOperation(author.operation)
    const same = this.#history.filter(kept => kept.uuid === uuid && isFleetOperation(kept.entry.operation) === byFleet)
    const gone = new Set(same.slice(0, -(byFleet ? keptEntries.fleet : keptEntries.callers)))
    const since = author.atMs - keptEntries.ms
    this.#history = this.#history.filter(kept => !gone.has(kept) && kept.entry.atMs >= since)
  }

  #enter(): void {
    const failure = this.#closed ? 'it is closed' : this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw new MillraceError('MILL_STORE_UNAVAILABLE', [failure])
  }

  #refuseConflict(mapping: Mapping): void {
    const others = [...this.#mappings.values()].map(entry => entry.mapping)
    const conflict = conflictOf(mapping, others)
    if (conflict !== undefined) throw conflict
  }
}

function matches({ spec }: Mapping, filter: MappingFilter): boolean {
  const { functionArn, eventSourceArn } = filter
  return (
    (functionArn === undefined || spec.functionArn === functionArn) &&
    (eventSourceArn === undefined || (spec.source.kind === 'msk' && spec.source.arn === eventSourceArn))
  )
}
