import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { openSqliteStore } from '../../../src/adapters/store/sqlite.ts'
import { schemaVersion } from '../../../src/adapters/store/sqlite-schema.ts'
import { mappingStoreContract } from '../../contracts/mapping-store.ts'
import { aMapping, anAuthor } from '../../support/stored-mapping.ts'

const root = mkdtempSync(join(tmpdir(), 'millrace-store-'))
after(() => rmSync(root, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(root, `${++files}`, 'millrace.db')

mappingStoreContract('sqlite', async () => openSqliteStore(newFile()))

test('sqlite: makes the directory, and finds its mappings again', async () => {
  const file = newFile()
  const mapping = aMapping()
  {
    await using store = openSqliteStore(file)
    await store.insert(mapping, anAuthor())
  }
  await using store = openSqliteStore(file)
  assert.deepEqual((await store.list({}, 10)).mappings, [mapping])
})

test('sqlite: what was answered survives kill -9, and the lock does not', async () => {
  const file = newFile()
  const child = spawn(process.execPath, [new URL('fill-store.ts', import.meta.url).pathname, file], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  assert.throws(() => openSqliteStore(file, { lockWaitMs: 0 }), { code: 'MILL_STORE_IN_USE' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await using store = openSqliteStore(file)
  assert.equal((await store.get(line.toString().trim()))?.state, 'Enabled')
})

test('sqlite: a newer schema is refused by name, and left alone', async () => {
  const file = newFile()
  await openSqliteStore(file)[Symbol.asyncDispose]()
  const database = new DatabaseSync(file)
  database.exec(`PRAGMA user_version = ${schemaVersion + 4}`)
  database.close()
  assert.throws(() => openSqliteStore(file), {
    code: 'MILL_STORE_SCHEMA',
    message: `The store ${file} has schema version ${schemaVersion + 4}, newer than ${schemaVersion} that this Millrace knows: run a newer Millrace.`
  })
})

test('sqlite: a database of another program is refused', () => {
  const file = join(root, 'foreign.db')
  const database = new DatabaseSync(file)
  database.exec('CREATE TABLE theirs (x)')
  database.close()
  assert.throws(() => openSqliteStore(file), { code: 'MILL_STORE_FOREIGN' })
})

test('sqlite: a directory that cannot be used is named with the reason', () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  assert.throws(() => openSqliteStore(join(file, 'data', 'millrace.db')), {
    code: 'MILL_DATA_DIR',
    message: /^The data directory .*a-file\/data cannot be used: ENOTDIR/
  })
})

test('sqlite: a file that is no database says what to do', () => {
  const file = join(root, 'garbage.db')
  writeFileSync(file, 'x'.repeat(8192))
  assert.throws(() => openSqliteStore(file), {
    code: 'MILL_STORE_DAMAGED',
    message: /is damaged \(file is not a database\): stop Millrace, move the file/
  })
})

test('sqlite: a page overwritten in the middle is found on opening', async () => {
  const file = newFile()
  {
    await using store = openSqliteStore(file)
    for (let n = 0; n < 20; n++) await store.insert(aMapping({ topic: `t${n}` }), anAuthor())
  }
  const bytes = readFileSync(file)
  bytes.fill(0x5a, 4096, 12_288)
  writeFileSync(file, bytes)
  assert.throws(() => openSqliteStore(file), { code: 'MILL_STORE_DAMAGED' })
})

/** A store of twenty mappings, opened anew: what it holds lies in the file and not only in the log beside it. */
async function openFilled() {
  const file = newFile()
  const mappings = Array.from({ length: 20 }, (_, n) => aMapping({ topic: `t${n}` }))
  {
    await using store = openSqliteStore(file)
    for (const mapping of mappings) await store.insert(mapping, anAuthor())
  }
  const [first] = mappings
  return { file, first: first!, store: openSqliteStore(file), bytes: readFileSync(file) }
}

const damages: [string, (file: string, bytes: Buffer) => void][] = [
  ['a page is overwritten', (file, bytes) => writeAt(file, Buffer.alloc(8_192, 0x5a), bytes.length - 8_192)],
  ['it is cut in half', (file, bytes) => truncateSync(file, bytes.length / 2)],
  // Wherever it is found: pages that were split keep what has moved.
  [
    'digits of values are others',
    (file, bytes) =>
      writeFileSync(file, bytes.toString('latin1').replaceAll('"batchSize":1', '"batchSize":9'), 'latin1')
  ]
]

function writeAt(file: string, bytes: Buffer, position: number): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
  closeSync(descriptor)
}

for (const [title, damage] of damages) {
  test(`sqlite: under a running server ${title}: nothing of it is told or written any more, and what to do is`, async () => {
    const { file, first, store, bytes } = await openFilled()
    await using opened = store
    assert.deepEqual(await opened.get(first.uuid), first)
    damage(file, bytes)
    const unavailable = {
      code: 'MILL_STORE_UNAVAILABLE',
      message:
        /^The mapping store cannot be used: it is damaged \(.+\): stop Millrace and start it again, which says what to do$/
    }
    await assert.rejects(opened.list({}, 100), unavailable)
    await assert.rejects(opened.get(first.uuid), unavailable)
    await assert.rejects(opened.insert(aMapping({ topic: 'new' }), anAuthor()), unavailable)
    await assert.rejects(opened.update(first.uuid, first.version, { state: 'Disabling' }, anAuthor()), unavailable)
    await opened[Symbol.asyncDispose]()
    assert.throws(() => openSqliteStore(file), { code: 'MILL_STORE_DAMAGED', message: /stop Millrace, move the file/ })
  })
}

test('sqlite: under a running server the file is moved away: nothing is written where nobody finds it; back, all is well', async () => {
  const { file, first, store } = await openFilled()
  await using opened = store
  await opened.insert(aMapping({ topic: 'new' }), anAuthor())
  for (const name of [file, `${file}-wal`]) {
    renameSync(name, `${name}.away`)
    const gone = {
      code: 'MILL_STORE_UNAVAILABLE',
      message: /millrace\.db was removed or emptied, or another file is in its place: stop/
    }
    await assert.rejects(opened.get(first.uuid), gone)
    await assert.rejects(opened.update(first.uuid, first.version, { state: 'Disabling' }, anAuthor()), gone)
    writeFileSync(name, 'another')
    await assert.rejects(opened.list({}, 10), gone)
    renameSync(`${name}.away`, name)
    assert.deepEqual(await opened.get(first.uuid), first)
  }
  assert.ok(await opened.update(first.uuid, first.version, { state: 'Disabling' }, anAuthor()))
  truncateSync(file, 0)
  await assert.rejects(opened.get(first.uuid), { message: /was removed or emptied/ })
})

test('sqlite: a file whose time was set by somebody is looked through, and goes on', async () => {
  const { file, first, store } = await openFilled()
  await using opened = store
  utimesSync(file, 1_000, 1_000)
  assert.deepEqual(await opened.get(first.uuid), first)
})

/** What the first release made, with one mapping in it. */
const versionOne = `
  CREATE TABLE mappings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
    spec_version INTEGER NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL, state_transition_reason TEXT NOT NULL,
    last_processing_result TEXT NOT NULL, last_modified_ms INTEGER NOT NULL, function_arn TEXT NOT NULL,
    topic TEXT NOT NULL, consumer_group_id TEXT NOT NULL, event_source_arn TEXT
  ) STRICT;
  CREATE INDEX mappings_function ON mappings (function_arn, topic);
  CREATE INDEX mappings_group ON mappings (consumer_group_id);
  CREATE INDEX mappings_source ON mappings (event_source_arn);
  PRAGMA application_id = 1296649292; PRAGMA user_version = 1;`

test('sqlite: a file of the first schema is brought forward, and keeps its mappings', async () => {
  const file = join(root, 'version-one.db')
  const { uuid, spec, ...rest } = aMapping({ consumerGroupId: 'g' })
  const database = new DatabaseSync(file)
  database.exec(versionOne)
  database
    .prepare(`INSERT INTO mappings VALUES (7, ?, 3, 2, ?, 'Enabled', 'USER_INITIATED', 'OK', ?, ?, ?, ?, NULL)`)
    .run(uuid, JSON.stringify(spec), rest.lastModifiedMs, spec.functionArn, spec.topic, spec.consumerGroupId)
  database.close()
  await using store = openSqliteStore(file)
  const kept = { ...rest, uuid, spec, version: 3, specVersion: 2, state: 'Enabled', lastProcessingResult: 'OK' }
  assert.deepEqual(await store.get(uuid), kept)
  assert.deepEqual(await store.history(uuid, 10), { entries: [] })
  await store.update(uuid, 3, { state: 'Disabling' }, anAuthor())
  assert.equal((await store.history(uuid, 10)).entries.length, 1)
})

test('sqlite: killed in the middle of writes, again and again, it keeps all that was answered and its history', async () => {
  const file = newFile()
  const program = new URL('write-on.ts', import.meta.url).pathname
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    const exited = once(child, 'exit')
    for await (const chunk of child.stdout) {
      said += String(chunk)
      // A different place each round; what is still in the pipe counts as answered as well.
      if (said.split('\n').length > 20 + 40 * round) child.kill('SIGKILL')
    }
    await exited
    const [uuid = '', version] = said.split('\n').at(-2)?.split(' ') ?? []
    await using store = openSqliteStore(file)
    const mapping = await store.get(uuid)
    assert.ok(mapping !== undefined && mapping.version - Number(version) <= 1 && mapping.version >= Number(version))
    const { entries } = await store.history(uuid, 1_000)
    assert.deepEqual(entries.at(-1)?.changes, [
      { field: 'BatchSize', from: mapping.version === 2 ? 100 : mapping.version - 1, to: mapping.version }
    ])
    assert.equal((await store.list({}, 100)).mappings.length, round + 1)
  }
})

const small = mkdtempSync(join(tmpdir(), 'millrace-small-'))
after(() => rmSync(small, { recursive: true, force: true }))
/** A disk of its own, of one megabyte, that only this process sees; not every machine allows that. */
const onSmallDisk = (command: string): string[] => [
  '--user',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o size=1m none ${small} && ${command}`
]
const noSmallDisk =
  spawnSync('unshare', onSmallDisk('true')).status === 0 ? false : 'this machine lets nobody mount a small disk'

test(
  'sqlite: a full disk is told as such, costs nothing that was kept, and is over when there is room',
  { skip: noSmallDisk },
  () => {
    const program = new URL('fill-disk.ts', import.meta.url).pathname
    const run = spawnSync('unshare', onSmallDisk(`exec '${process.execPath}' '${program}' '${small}'`), {
      encoding: 'utf8'
    })
    assert.equal(run.status, 0, run.stderr)
    assert.equal(
      run.stdout,
      'MILL_STORE_FULL: The disk of the mapping store is full (database or disk is full): make room on it. Nothing of this change was kept.\nwell again\n'
    )
  }
)
