import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { changesBetween, isFleetOperation, keptEntries } from '../../core/mapping/history.ts'
import type { AuditedOperation, Author, FieldChange } from '../../core/mapping/history.ts'
import type { Mapping } from '../../core/mapping/mapping.ts'
import type { HistoryPage } from '../../ports/mapping-store.ts'
import { writeMarker } from './marker.ts'

interface Row {
  readonly seq: number
  readonly at_ms: number
  readonly who: string
  readonly operation: string
  readonly changes: string
}

/** A write clears away no more old entries than this: a store that was away for months does not stand still. */
const mostForgotten = 100

/** The table of who changed what. Every method runs inside the caller's transaction. */
export class SqliteHistory {
  readonly #add: StatementSync
  readonly #page: StatementSync
  readonly #forgetMany: StatementSync
  readonly #forgetOld: StatementSync

  constructor(database: DatabaseSync) {
    this.#add = database.prepare(
      `INSERT INTO history (uuid, at_ms, who, operation, by_fleet, changes)
       VALUES (:uuid, :at, :who, :operation, :byFleet, :changes)`
    )
    this.#page = database.prepare(
      `SELECT seq, at_ms, who, operation, changes FROM history WHERE uuid = :uuid AND seq > :after ORDER BY seq LIMIT :limit`
    )
    this.#forgetMany = database.prepare(
      `DELETE FROM history WHERE uuid = :uuid AND by_fleet = :byFleet AND seq <= (
         SELECT seq FROM history WHERE uuid = :uuid AND by_fleet = :byFleet ORDER BY seq DESC LIMIT 1 OFFSET :kept)`
    )
    this.#forgetOld = database.prepare(
      `DELETE FROM history WHERE seq IN (SELECT seq FROM history WHERE at_ms < :since LIMIT ${mostForgotten})`
    )
  }

  add(uuid: string, before: Mapping | undefined, after: Mapping | undefined, author: Author): void {
    const { who, operation, atMs } = author
    const byFleet = isFleetOperation(operation)
    const changes = JSON.stringify(changesBetween(before, after))
    this.#add.run({ uuid, at: atMs, who, operation, byFleet: Number(byFleet), changes })
    const kept = byFleet ? keptEntries.fleet : keptEntries.callers
    this.#forgetMany.run({ uuid, byFleet: Number(byFleet), kept })
    this.#forgetOld.run({ since: atMs - keptEntries.ms })
  }

  page(uuid: string, limit: number, after: number): HistoryPage {
    const rows = this.#page.all({ uuid, after, limit: limit + 1 }) as unknown as Row[]
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const entries = page.map(row => ({
      who: row.who,
      operation: row.operation as AuditedOperation,
      atMs: row.at_ms,
      // Written by `add` only.
      changes: JSON.parse(row.changes) as FieldChange[]
    }))
    return rows.length > limit && last !== undefined ? { entries, next: writeMarker(last.seq) } : { entries }
  }
}
