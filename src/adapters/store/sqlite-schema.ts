import type { DatabaseSync } from 'node:sqlite'
import { MillraceError } from '../../core/errors.ts'

/** "MILL": marks the file as ours (SQLite's application_id). */
const applicationId = 0x4d49_4c4c

/**
 * One step per schema version, oldest first; a step that has been released is never edited. The columns beside `spec`
 * repeat what SQL has to look for.
 */
const migrations: readonly string[] = [
  `CREATE TABLE mappings (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     uuid TEXT NOT NULL UNIQUE,
     version INTEGER NOT NULL,
     spec_version INTEGER NOT NULL,
     spec TEXT NOT NULL,
     state TEXT NOT NULL,
     state_transition_reason TEXT NOT NULL,
     last_processing_result TEXT NOT NULL,
     last_modified_ms INTEGER NOT NULL,
     function_arn TEXT NOT NULL,
     topic TEXT NOT NULL,
     consumer_group_id TEXT NOT NULL,
     event_source_arn TEXT
   ) STRICT;
   CREATE INDEX mappings_function ON mappings (function_arn, topic);
   CREATE INDEX mappings_group ON mappings (consumer_group_id);
   CREATE INDEX mappings_source ON mappings (event_source_arn);`,
  // A history outlives its mapping, so no foreign key.
  `CREATE TABLE history (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     uuid TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     operation TEXT NOT NULL,
     by_fleet INTEGER NOT NULL,
     changes TEXT NOT NULL
   ) STRICT;
   -- A filtered listing goes on after a place in the order of creation.
   CREATE INDEX mappings_function_seq ON mappings (function_arn, seq);
   CREATE INDEX mappings_source_seq ON mappings (event_source_arn, seq);
   DROP INDEX mappings_source;
   CREATE INDEX history_mapping ON history (uuid, seq);
   CREATE INDEX history_kept ON history (uuid, by_fleet, seq);
   CREATE INDEX history_time ON history (at_ms);`,
  // SQLite notices when its structure is damaged, not when a value is. NULL: written before there were digests.
  `ALTER TABLE mappings ADD COLUMN digest TEXT;`
]

export const schemaVersion = migrations.length

/** Brings an open database to our schema version; a newer, a foreign or a damaged one is refused by name. */
export function migrate(database: DatabaseSync, file: string): void {
  const present = pragma(database, 'user_version')
  const empty = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0
  if (!empty && pragma(database, 'application_id') !== applicationId)
    throw new MillraceError('MILL_STORE_FOREIGN', [file])
  if (present > schemaVersion) throw new MillraceError('MILL_STORE_SCHEMA', [file, present, schemaVersion])
  const problem = problemOf(database, 'quick_check')
  if (problem !== undefined) throw new MillraceError('MILL_STORE_DAMAGED', [file, problem])
  if (present === schemaVersion) return
  const steps = migrations.slice(present).join('\n')
  // PRAGMA user_version is part of the transaction: a step is done and recorded, or neither.
  database.exec(
    `BEGIN IMMEDIATE; ${steps} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT;`
  )
}

/** What is wrong with the structure of the file; undefined: nothing. The full check looks into its indexes too. */
export function problemOf(database: DatabaseSync, check: 'quick_check' | 'integrity_check'): string | undefined {
  const said = String(database.prepare(`PRAGMA ${check}(1)`).get()?.[check])
  return said === 'ok' ? undefined : said.replace('*** in database main ***', '').replaceAll(/\s+/g, ' ').trim()
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
}
