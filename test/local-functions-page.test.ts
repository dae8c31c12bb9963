import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../src/app/config.ts'
import { localFunctions } from '../src/app/local-functions.ts'
import { hosting } from './adapters/invoker/hosted.ts'
import { textOf } from './contracts/invoker.ts'
import { pythonPath, testUnless, withoutGo, withoutPython } from './support/local-runtimes.ts'
import { PageUnderTest } from './support/page-blocks.ts'

const page = new PageUnderTest('docs/how-to/local-functions.md')
const others = 'Go, Rust, Java, and all else'
/** Each begins with the name of its file. */
const blocks = [
  page.block('Run functions on this machine'),
  page.block('Node.js and TypeScript'),
  page.block('Python', 1),
  page.block(others, 0),
  page.block(others, 1)
]
page.leave('Python', 0, 'it fetches a package: the Python of these tests was given that one by the same command before')

function files(): Map<string, string> {
  const named = blocks.map(({ text }) => /^(?:#|\/\/) (?<name>[\w./-]+)\n(?<text>[^]*)$/.exec(text)?.groups)
  return new Map(named.map(groups => [groups?.['name'] ?? '', groups?.['text'] ?? '']))
}

/** A folder with all that the page says to write, and its functions. */
async function written() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
  for (const [name, text] of files()) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
  }
  const { config } = await loadConfig({ cwd: folder, env: {} })
  const functions = localFunctions(config).map(fn => ({
    ...fn,
    environment: { PATH: pythonPath, ...fn.environment }
  }))
  const world = await hosting(functions)
  return {
    ...world,
    folder,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    }
  }
}

const event = {
  records: { 'orders-0': [{ topic: 'orders', partition: 0, offset: 7, value: Buffer.from('a').toString('base64') }] }
}

test('the page’s Node function runs as it is written, with the environment of its configuration', async () => {
  await using world = await written()
  const reply = await world.call('resize', event)
  assert.deepEqual(JSON.parse(textOf(reply)), { batchItemFailures: [], table: 'thumbnails' })
  await world.log.line(({ message }) => message === '7 a true')
})

testUnless(withoutPython(), 'the page’s Python function runs as it is written', async () => {
  await using world = await written()
  assert.deepEqual(JSON.parse(textOf(await world.call('count', event))), { batchItemFailures: [] })
  await world.log.line(({ message }) => message === 'got 1 records, the first of offset 7')
})

const noCurl = spawnSync('curl', ['--version']).status === 0 ? undefined : 'no curl here'

testUnless(noCurl, 'the page’s runtime in shell runs as it is written', async () => {
  await using world = await written()
  assert.deepEqual(JSON.parse(textOf(await world.call('parse', event))), { batchItemFailures: [] })
  await world.log.line(({ message }) => message === `got ${JSON.stringify(event).length} bytes, as bootstrap --strict`)
})

testUnless(withoutGo(), 'the page’s Go function takes the place of it once it is built', async () => {
  await using world = await written()
  for (const file of ['go.mod', 'go.sum'])
    copyFileSync(join('test/fixtures/functions/go', file), join(world.folder, file))
  rmSync(join(world.folder, 'functions/bootstrap'))
  const command = /`go (?<args>build [^`]*)`/.exec(page.markdown)?.groups?.['args']?.split(' ') ?? []
  const built = spawnSync(process.env['MILLRACE_TEST_GO'] ?? 'go', command, { cwd: world.folder, encoding: 'utf8' })
  assert.equal(built.status, 0, built.stderr)
  assert.deepEqual(JSON.parse(textOf(await world.call('parse', event))), { batchItemFailures: [] })
})

test('the errors that the page names are those that are told', async () => {
  const told = new Set([...page.markdown.matchAll(/`((?:Runtime|Sandbox)\.\w+)`/g)].map(([, name]) => name))
  const sources = ['local-function', 'node-bootstrap', 'runtime-process', 'python-bootstrap']
  const known = sources.map(name =>
    readFileSync(`src/adapters/invoker/${name}.${name.startsWith('python') ? 'py' : 'ts'}`, 'utf8')
  )
  for (const name of told)
    assert.ok(
      known.some(source => source.includes(String(name))),
      name
    )
  assert.ok(told.size > 5)
})

test('none of its blocks is run by nobody', () => {
  assert.deepEqual(
    [...files().keys()],
    ['millrace.yaml', 'functions/resize.mjs', 'python/count.py', 'parse/main.go', 'functions/bootstrap']
  )
  page.assertWhole()
})
