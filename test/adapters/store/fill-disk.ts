// Run as a process by sqlite.test.ts, in a directory of a small disk: writes until it is full, and says what it was told.
import assert from 'node:assert/strict'
import { openSqliteStore } from '../../../src/adapters/store/sqlite.ts'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aMapping, anAuthor } from '../../support/stored-mapping.ts'

const directory = process.argv[2] ?? ''
const spare = join(directory, 'spare')
writeFileSync(spare, Buffer.alloc(262_144))
await using store = openSqliteStore(join(directory, 'millrace.db'))
let kept = 0
try {
  for (;;) {
    await store.insert(aMapping({ topic: `t${kept}`, tags: { long: 'x'.repeat(4_000) } }), anAuthor())
    kept += 1
  }
} catch (error) {
  process.stdout.write(`${(error as { code: string }).code}: ${(error as Error).message}\n`)
}
assert.equal((await store.list({}, 10_000)).mappings.length, kept)
rmSync(spare)
await store.insert(aMapping({ topic: 'after' }), anAuthor())
assert.equal((await store.list({}, 10_000)).mappings.length, kept + 1)
process.stdout.write('well again\n')
