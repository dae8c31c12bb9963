import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { MillraceError } from '../../core/errors.ts'
import { conflictOf } from '../../core/mapping/conflict.ts'
import type { Author } from '../../core/mapping/history.ts'
import type { Mapping } from '../../core/mapping/mapping.ts'
import type { Log } from '../../ports/log.ts'
import type { HistoryPage, MappingChange, MappingFilter, MappingPage, MappingStore } from '../../ports/mapping-store.ts'
import { Announcer } from './announcer.ts'
import { applyChange } from './change.ts'
import { readMarker, writeMarker } from './marker.ts'
import { SqliteHistory } from './sqlite-history.ts'
import { migrate, problemOf } from './sqlite-schema.ts'
import { columns, damageOf, DamagedRow, mappingOf, rowOf, type Row } from './sqlite-row.ts'
import { StoreFile } from './store-file.ts'

export interface SqliteStoreOptions {
  readonly log?: Log
  /** How long opening waits for another process to let go of the file. Default 2,000. */
  readonly lockWaitMs?: number
}

/**
 * The store in one file, for one process: it keeps the file locked while it is open, because changes are announced within
 * the process only. Each write is on disk before it is answered.
 * Throws `MILL_DATA_DIR`, `MILL_STORE_SCHEMA`, `MILL_STORE_DAMAGED`, `MILL_STORE_FOREIGN` or `MILL_STORE_IN_USE`.
 */
export function openSqliteStore(file: string, options: SqliteStoreOptions = {}): MappingStore {
  const directory = dirname(file)
  let database: DatabaseSync | undefined
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    database = new DatabaseSync(file, { timeout: options.lockWaitMs ?? 2_000 })
    // EXCLUSIVE must come before WAL: then the first read takes the lock and no shared-memory file is needed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    migrate(database, file)
    return new SqliteStore(database, file, options.log)
  } catch (error) {
    database?.close()
    throw openError(error, file, directory)
  }
}

// SQLite's primary result codes.
const sqliteBusy = 5
const sqliteLocked = 6
const sqliteCorrupt = 11
const sqliteFull = 13
const sqliteNotADatabase = 26
/** Extended: the file is shorter than it says. */
const sqliteShortRead = 522

function openError(error: unknown, file: string, directory: string): unknown {
  if (error instanceof MillraceError) return error
  const message = error instanceof Error ? error.message : String(error)
  const cause = { cause: error }
  switch (resultCode(error)) {
    case sqliteBusy:
    case sqliteLocked:
      return new MillraceError('MILL_STORE_IN_USE', [file], cause)
    case sqliteCorrupt:
    case sqliteNotADatabase:
      return new MillraceError('MILL_STORE_DAMAGED', [file, message], cause)
    default:
      return new MillraceError('MILL_DATA_DIR', [directory, message], cause)
  }
}

/** What a caller is told when the store must not be used any more. */
const damaged = (what: string, options: ErrorOptions = {}): MillraceError =>
  new MillraceError(
    'MILL_STORE_UNAVAILABLE',
    [`it is damaged (${what}): stop Millrace and start it again, which says what to do`],
    options
  )

const isDamage = (error: unknown): boolean =>
  error instanceof DamagedRow ||
  [sqliteCorrupt, sqliteNotADatabase].includes(resultCode(error)) ||
  (error instanceof Error && 'errcode' in error && error.errcode === sqliteShortRead)

function useError(error: unknown): MillraceError {
  const message = error instanceof Error ? error.message : String(error)
  const cause = { cause: error }
  if (isDamage(error)) return damaged(message, cause)
  return new MillraceError(
    resultCode(error) === sqliteFull ? 'MILL_STORE_FULL' : 'MILL_STORE_UNAVAILABLE',
    [message],
    cause
  )
}

/** 0 for what is not SQLite's. */
function resultCode(error: unknown): number {
  // `errcode` is the extended code; its low byte is the primary one.
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}

function statements(database: DatabaseSync) {
  const listing = (condition: string): StatementSync =>
    database.prepare(`SELECT ${columns} FROM mappings WHERE seq > :after ${condition} ORDER BY seq LIMIT :limit`)
  return {
    get: database.prepare(`SELECT ${columns} FROM mappings WHERE uuid = ?`),
    // One statement a combination: with "… IS NULL OR …" SQLite would read every mapping.
    everything: database.prepare(`SELECT ${columns} FROM mappings`),
    listAll: listing(''),
    listByFunction: listing('AND function_arn = :functionArn'),
    listBySource: listing('AND event_source_arn = :eventSourceArn'),
    listByBoth: listing('AND function_arn = :functionArn AND event_source_arn = :eventSourceArn'),
    rivals: database.prepare(
      `SELECT ${columns} FROM mappings
       WHERE (function_arn = :functionArn AND topic = :topic) OR consumer_group_id = :group ORDER BY seq`
    ),
    insert: database.prepare(
      `INSERT INTO mappings (uuid, version, spec_version, spec, state, state_transition_reason, last_processing_result,
         last_modified_ms, digest, function_arn, topic, consumer_group_id, event_source_arn)
       VALUES (:uuid, :version, :specVersion, :spec, :state, :reason, :result, :modified, :digest, :functionArn, :topic,
         :group, :eventSourceArn)`
    ),
    update: database.prepare(
      `UPDATE mappings SET version = :version, spec_version = :specVersion, spec = :spec, state = :state,
         state_transition_reason = :reason, last_processing_result = :result, last_modified_ms = :modified,
         digest = :digest, function_arn = :functionArn, topic = :topic, consumer_group_id = :group, event_source_arn = :eventSourceArn
       WHERE uuid = :uuid`
    ),
    remove: database.prepare('DELETE FROM mappings WHERE uuid = ? AND version = ?')
  }
}

class SqliteStore implements MappingStore {
  readonly #database: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  readonly #history: SqliteHistory
  readonly #announcer: Announcer
  readonly #path: string
  readonly #file: StoreFile
  /** From then on nothing is read or written: what is there cannot be trusted. */
  #damage: MillraceError | undefined
  #closed = false

  /** Throws `MILL_STORE_DAMAGED` when a mapping is not what was written. */
  constructor(database: DatabaseSync, path: string, log: Log | undefined) {
    this.#database = database
    this.#path = path
    this.#file = new StoreFile(path)
    this.#sql = statements(database)
    this.#history = new SqliteHistory(database)
    this.#announcer = new Announcer(log)
    this.#file.keep()
    for (const row of this.#sql.everything.iterate() as Iterable<unknown> as Iterable<Row>) {
      const damage = damageOf(row)
      if (damage !== undefined) throw new MillraceError('MILL_STORE_DAMAGED', [path, damage])
    }
  }

  async insert(mapping: Mapping, author: Author): Promise<void> {
    this.#write(() => {
      this.#refuseConflict(mapping)
      this.#sql.insert.run(rowOf(mapping))
      this.#history.add(mapping.uuid, undefined, mapping, author)
    })
    this.#announcer.announce(mapping.uuid)
  }

  async get(uuid: string): Promise<Mapping | undefined> {
    return this.#use(() => this.#find(uuid))
  }

  async list(filter: MappingFilter, limit: number, after?: string): Promise<MappingPage> {
    const seq = after === undefined ? 0 : readMarker(after)
    // One more than asked for tells whether there is a next page.
    return this.#use(() => {
      const rows = this.#listing(filter).all({ after: seq, limit: limit + 1, ...filter }) as unknown as Row[]
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      const mappings = page.map(mappingOf)
      return rows.length > limit && last !== undefined ? { mappings, next: writeMarker(last.seq) } : { mappings }
    })
  }

  async update(uuid: string, version: number, change: MappingChange, author: Author): Promise<Mapping | undefined> {
    const after = this.#write(() => {
      const before = this.#find(uuid)
      if (before?.version !== version) return undefined
      const changed = applyChange(before, change)
      if (change.spec !== undefined) this.#refuseConflict(changed)
      this.#sql.update.run(rowOf(changed))
      this.#history.add(uuid, before, changed, author)
      return changed
    })
    if (after !== undefined) this.#announcer.announce(uuid)
    return after
  }

  async remove(uuid: string, version: number, author: Author): Promise<boolean> {
    const removed = this.#write(() => {
      const before = this.#find(uuid)
      if (before?.version !== version) return false
      this.#sql.remove.run(uuid, version)
      this.#history.add(uuid, before, undefined, author)
      return true
    })
    if (removed) this.#announcer.announce(uuid)
    return removed
  }

  async history(uuid: string, limit: number, after?: string): Promise<HistoryPage> {
    const seq = after === undefined ? 0 : readMarker(after)
    return this.#use(() => this.#history.page(uuid, limit, seq))
  }

  watch(listener: (uuid: string) => void): () => void {
    return this.#announcer.watch(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#announcer.close()
    if (this.#database.isOpen) this.#database.close()
  }

  #listing({ functionArn, eventSourceArn }: MappingFilter): StatementSync {
    if (functionArn !== undefined) return eventSourceArn === undefined ? this.#sql.listByFunction : this.#sql.listByBoth
    return eventSourceArn === undefined ? this.#sql.listAll : this.#sql.listBySource
  }

  #find(uuid: string): Mapping | undefined {
    const row = this.#sql.get.get(uuid) as unknown as Row | undefined
    return row === undefined ? undefined : mappingOf(row)
  }

  #refuseConflict(mapping: Mapping): void {
    const { functionArn, topic, consumerGroupId: group } = mapping.spec
    const rivals = this.#sql.rivals.all({ functionArn, topic, group }) as unknown as Row[]
    const conflict = conflictOf(mapping, rivals.map(mappingOf))
    if (conflict !== undefined) throw conflict
  }

  #write<T>(run: () => T): T {
    return this.#use(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        const result = run()
        this.#database.exec('COMMIT')
        return result
      } catch (error) {
        // SQLite rolls back by itself after some failures (disk full, I/O error).
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw error
      } finally {
        this.#file.keep()
      }
    })
  }

  #use<T>(run: () => T): T {
    if (this.#closed) throw new MillraceError('MILL_STORE_UNAVAILABLE', ['it is closed'])
    if (this.#damage !== undefined) throw this.#damage
    try {
      this.#inspect()
      return run()
    } catch (error) {
      if (error instanceof MillraceError) throw error
      const told = useError(error)
      if (isDamage(error)) this.#damage = told
      throw told
    }
  }

  /** Throws when the file is not what we left there. */
  #inspect(): void {
    const finding = this.#file.look()
    if (finding === 'same') return
    if (finding === 'gone') {
      const advice =
        'stop Millrace and put back the file and the one beside it ending in -wal, or start it without them'
      throw new MillraceError('MILL_STORE_UNAVAILABLE', [
        `${this.#path} was removed or emptied, or another file is in its place: ${advice} and create the mappings anew with their consumer groups`
      ])
    }
    // From the disk, not from what is in memory.
    this.#database.exec('PRAGMA shrink_memory')
    const problem = problemOf(this.#database, 'integrity_check')
    if (problem !== undefined) throw (this.#damage = damaged(problem))
    this.#file.keep()
  }
}
