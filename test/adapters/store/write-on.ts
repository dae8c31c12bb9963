// Run as a process by sqlite.test.ts: writes without end, and says after each write what has been answered.
import { openSqliteStore } from '../../../src/adapters/store/sqlite.ts'
import { aMapping, anAuthor } from '../../support/stored-mapping.ts'

const store = openSqliteStore(process.argv[2] ?? '')
let mapping = aMapping({ topic: `t${process.pid}` })
await store.insert(mapping, anAuthor())
for (;;) {
  process.stdout.write(`${mapping.uuid} ${mapping.version}\n`)
  const spec = { ...mapping.spec, batchSize: (mapping.version % 10_000) + 1 }
  const changed = await store.update(mapping.uuid, mapping.version, { spec }, anAuthor({ atMs: mapping.version }))
  if (changed === undefined) throw new Error('somebody else writes')
  mapping = changed
}
