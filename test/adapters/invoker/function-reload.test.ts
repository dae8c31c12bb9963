import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { textOf } from '../../contracts/invoker.ts'
import { pythonPath, testUnless, withoutPython } from '../../support/local-runtimes.ts'
import { hosting, type SomeFunction } from './hosted.ts'
import type { FunctionHostOptions } from '../../../src/adapters/invoker/function-host.ts'

const answering = (text: string) => `export const handler = async () => '${text}'\n`

/** A function in a folder of its own, whose files the test changes. */
async function edited(
  files: Readonly<Record<string, string>>,
  fn: Partial<SomeFunction> = {},
  options: Partial<FunctionHostOptions> = {}
) {
  const baseDir = mkdtempSync(path.join(tmpdir(), 'millrace-'))
  const write = (name: string, text: string) => {
    mkdirSync(path.dirname(path.join(baseDir, name)), { recursive: true })
    writeFileSync(path.join(baseDir, name), text)
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  const one = { name: 'fn', handler: 'app.handler', timeoutSeconds: 20, baseDir, ...fn }
  const world = await hosting([one], { reload: true, ...options })
  let reloads = 0
  return {
    ...world,
    baseDir,
    write,
    answer: async (event: unknown = {}) => textOf(await world.call('fn', event)),
    /** Makes the change, and waits until it was seen. */
    async change(make: () => void) {
      make()
      return world.events.nth('reloaded', ++reloads)
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      rmSync(baseDir, { recursive: true })
    }
  }
}

test('a call after a change of the handler’s file is answered by the new code', async () => {
  await using world = await edited({ 'app.mjs': answering('old') })
  assert.equal(await world.answer(), '"old"')
  const told = await world.change(() => world.write('app.mjs', answering('new')))
  assert.deepEqual([told.function, told.file, told.draining], ['fn', 'app.mjs', 0])
  assert.equal(await world.answer(), '"new"')
  assert.equal(world.events.of('started').length, 2)
})

test('a file that is replaced by another, as editors save, is a change each time', async () => {
  await using world = await edited({ 'app.mjs': answering('0') })
  for (const text of ['1', '2', '3']) {
    await world.change(() => {
      world.write('.app.mjs.new', answering(text))
      renameSync(path.join(world.baseDir, '.app.mjs.new'), path.join(world.baseDir, 'app.mjs'))
    })
    assert.equal(await world.answer(), `"${text}"`)
  }
})

test('a call in flight ends with the old code, and one that comes meanwhile does not wait for it', async () => {
  const waiting = (text: string) => `
    import { existsSync } from 'node:fs'
    export const handler = async file => {
      console.log('begun')
      while (!existsSync(file)) await new Promise(resolve => setTimeout(resolve, 5))
      return '${text}'
    }`
  await using world = await edited({ 'app.mjs': waiting('old') }, { concurrency: 1 })
  const gate = path.join(world.baseDir, 'node_modules', 'gate')
  const inFlight = world.call('fn', gate)
  await world.log.line(({ message }) => message === 'begun')
  const told = await world.change(() => world.write('app.mjs', waiting('new')))
  assert.equal(told.draining, 1)
  assert.equal(await world.answer(path.join(world.baseDir, 'app.mjs')), '"new"')
  world.write('node_modules/gate', '')
  assert.equal(textOf(await inFlight), '"old"')
  const ended = await world.events.nth('ended')
  assert.equal(ended.instance, world.events.of('started')[0]?.instance)
  assert.equal(await world.answer(path.join(world.baseDir, 'app.mjs')), '"new"')
})

test('a broken change fails calls with its error, and the mended file works at once', async () => {
  await using world = await edited({ 'app.mjs': answering('well') })
  await world.answer()
  await world.change(() => world.write('app.mjs', 'export const handler = ('))
  for (let time = 0; time < 4; time++) {
    const reply = await world.call('fn')
    assert.ok(reply.kind === 'function-error')
    assert.equal(reply.errorType, 'Runtime.UserCodeSyntaxError')
  }
  await world.change(() => world.write('app.mjs', answering('mended')))
  const started = performance.now()
  assert.equal(await world.answer(), '"mended"')
  assert.ok(performance.now() - started < 2_000, 'no backoff of the broken one is left')
})

test('a module in a folder that was made later counts, a package and a hidden file do not', async () => {
  await using world = await edited({
    'app.mjs': `export const handler = async () => (await import('./lib/word.mjs')).word`
  })
  await world.change(() => world.write('lib/word.mjs', `export const word = 'first'`))
  assert.equal(await world.answer(), '"first"')
  world.write('node_modules/package/index.js', '')
  world.write('.hidden', '')
  world.write('__pycache__/app.pyc', '')
  const told = await world.change(() => world.write('lib/word.mjs', `export const word = 'second'`))
  assert.equal(told.file, path.join('lib', 'word.mjs'))
  assert.equal(await world.answer(), '"second"')
})

test('a folder that a build makes anew is found again', async () => {
  await using world = await edited({ 'dist/app.mjs': answering('old') }, { handler: 'dist/app.handler' })
  assert.equal(await world.answer(), '"old"')
  await world.change(() => {
    rmSync(path.join(world.baseDir, 'dist'), { recursive: true })
    world.write('dist/app.mjs', answering('new'))
  })
  assert.equal(await world.answer(), '"new"')
})

test('without reload a process keeps its code; one function may ask for it alone', async () => {
  await using still = await edited({ 'app.mjs': answering('old') }, {}, { reload: false })
  await using alone = await edited({ 'app.mjs': answering('old') }, { reload: true }, { reload: false })
  for (const world of [still, alone]) assert.equal(await world.answer(), '"old"')
  still.write('app.mjs', answering('new'))
  await alone.change(() => alone.write('app.mjs', answering('new')))
  assert.deepEqual([await still.answer(), await alone.answer()], ['"old"', '"new"'])
  assert.equal(still.events.of('reloaded').length, 0)
})

test('an inspected function has its port back for its new code, and no old process beside it', async () => {
  await using world = await edited({ 'app.mjs': answering('old') }, {}, { inspect: 0, idleMs: 1 })
  assert.equal(await world.answer(), '"old"')
  await world.change(() => world.write('app.mjs', answering('new')))
  assert.equal(await world.answer(), '"new"')
  assert.deepEqual(
    world.events.events.map(({ kind }) => kind).filter(kind => ['started', 'ended', 'reloaded'].includes(kind)),
    ['started', 'reloaded', 'ended', 'started']
  )
})

testUnless(withoutPython(), 'what Python writes beside its modules is no change; the module is', async () => {
  const python = (text: string) => `import beside\ndef handler(event, context):\n    return "${text}"\n`
  const environment = { PATH: pythonPath }
  await using world = await edited({ 'app.py': python('old'), 'beside.py': '' }, { environment })
  assert.equal(await world.answer(), '"old"')
  await world.change(() => world.write('app.py', python('a new one')))
  assert.equal(await world.answer(), '"a new one"')
  assert.equal(world.events.of('reloaded').length, 1)
})

test('a function that is to be warm has a process before its first call, which then gets that', async () => {
  await using world = await edited({ 'app.mjs': answering('one') }, {}, { warm: ['fn'] })
  const { instance } = await world.events.nth('ready')
  assert.equal(world.events.of('called').length, 0)
  assert.equal(await world.answer(), '"one"')
  assert.equal(world.events.of('called')[0]?.instance, instance)
  assert.equal(world.events.of('started').length, 1)
})

test('a warm function has a process of the new code before it is called again', async () => {
  await using world = await edited({ 'app.mjs': answering('old') }, {}, { warm: ['fn'] })
  await world.events.nth('ready')
  await world.change(() => world.write('app.mjs', answering('new')))
  const { instance } = await world.events.nth('ready', 2)
  assert.equal(await world.answer(), '"new"')
  assert.equal(world.events.of('called')[0]?.instance, instance)
})

test('what breaks the start of a warm function is told before anybody calls it, once, and mended by a change', async () => {
  await using world = await edited({ 'app.mjs': 'this is no code' }, {}, { warm: ['fn'] })
  assert.equal((await world.events.nth('start-failed')).errorType, 'Runtime.UserCodeSyntaxError')
  await world.events.nth('ended')
  assert.equal(world.events.of('started').length, 1)
  await world.change(() => world.write('app.mjs', answering('mended')))
  await world.events.nth('ready')
  assert.equal(await world.answer(), '"mended"')
})
