import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { marked } from '../../../src/adapters/invoker/process-mark.ts'

const onLinux = { skip: process.platform === 'linux' ? false : 'these limits are those of Linux' }

/** A folder with programs. */
function setup() {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-'))
  return {
    cwd,
    program(name: string, text: string, mode = 0o755) {
      writeFileSync(join(cwd, name), text)
      chmodSync(join(cwd, name), mode)
      return `./${name}`
    },
    [Symbol.dispose]: () => rmSync(cwd, { recursive: true })
  }
}

suite('a marked program', onLinux, () => {
  test('is the program itself, with its arguments and its environment alone, and has the mark', () => {
    using world = setup()
    const env = { ODD: "a 'b'\n$(c)", PATH: process.env['PATH'] ?? '' }
    const tell = 'console.log(JSON.stringify([process.argv.slice(1), process.env, process.pid]))'
    const limits = 'console.log(require("fs").readFileSync("/proc/self/limits", "latin1"))'
    const args = ['-e', `${tell};${limits}`, '--', 'one two', '*']
    const spawned = marked({ file: process.execPath, args, cwd: world.cwd, env })
    const { stdout, pid } = spawnSync(spawned.file, spawned.args, { cwd: world.cwd, env, encoding: 'utf8' })
    const [told = '', ...rest] = stdout.split('\n')
    const [argv, environment, own] = JSON.parse(told) as [string[], Record<string, string>, number]
    // What bash calls the program by is its own.
    const { _, ...given } = environment
    assert.deepEqual([argv, given, own], [['one two', '*'], env, pid])
    assert.match(rest.join('\n'), new RegExp(`^Max file locks +${spawned.mark} `, 'm'))
  })

  test('has a mark that no other has', () => {
    const program = { file: 'env', args: [], cwd: '/', env: { PATH: process.env['PATH'] ?? '' } }
    assert.notEqual(marked(program).mark, marked(program).mark)
  })

  test('is found by the PATH of its own environment', () => {
    using world = setup()
    world.program('here', '#!/bin/sh\necho found\n')
    const env = { PATH: world.cwd }
    const { file, args, mark } = marked({ file: 'here', args: [], cwd: '/', env })
    assert.notEqual(mark, '')
    assert.equal(spawnSync(file, args, { cwd: '/', env, encoding: 'utf8' }).stdout, 'found\n')
    assert.equal(marked({ file: 'here', args: [], cwd: '/', env: { PATH: '/nowhere' } }).mark, '')
  })
})

test('a program that cannot be run, or whose variables a shell would lose or set, is spawned as it is', () => {
  using world = setup()
  const env = { PATH: process.env['PATH'] ?? '' }
  const fits = world.program('fits', '#!/bin/sh\n')
  for (const [file, more] of [
    ['./missing', {}],
    [world.program('plain', '#!/bin/sh\n', 0o644), {}],
    [world.program('orphan', '#!/nowhere/python3 -u\n'), {}],
    ['.', {}],
    [fits, { 'my-variable': '1' }],
    [fits, { PWD: '/else' }]
  ] as const) {
    const program = { file, args: ['a'], cwd: world.cwd, env: { ...env, ...more } }
    assert.deepEqual(marked(program), { file, args: ['a'], mark: '' }, file)
  }
})
