// Run as a process by sqlite.test.ts: writes a mapping, says its UUID, and waits to be killed.
import { openSqliteStore } from '../../../src/adapters/store/sqlite.ts'
import { aMapping, anAuthor } from '../../support/stored-mapping.ts'

const store = openSqliteStore(process.argv[2] ?? '')
const mapping = aMapping()
await store.insert(mapping, anAuthor())
await store.update(mapping.uuid, 1, { state: 'Enabled' }, anAuthor())
process.stdout.write(`${mapping.uuid}\n`)
setInterval(() => undefined, 60_000)
