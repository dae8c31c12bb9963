import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'

/** What a user would have: a folder of their own with the package in it, and nothing of this checkout. */
const scratch = mkdtempSync(join(tmpdir(), 'millrace-package-'))
let packed: readonly string[] = []

/** The package's `#!/usr/bin/env node` must find the Node that runs the tests, not an older one of the machine. */
const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)

function run(command: string, args: readonly string[], cwd = scratch, timeoutMs = 60_000) {
  const env = { ...process.env, PATH: path }
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: timeoutMs })
  return { status, stdout, stderr: error ? `${stderr}\n${error.message}` : stderr }
}

const millrace = (...args: string[]) => run(join(scratch, 'node_modules/.bin/millrace'), args)

before(() => {
  const pack = run('npm', ['pack', '--json', '--pack-destination', scratch], process.cwd())
  assert.equal(pack.status, 0, pack.stderr)
  // npm prints the build's own output first.
  const [tarball] = JSON.parse(pack.stdout.slice(pack.stdout.search(/^\[/m))) as [
    { filename: string; files: { path: string }[] }
  ]
  packed = tarball.files.map(file => file.path)
  writeFileSync(join(scratch, 'package.json'), '{ "private": true }')
  const install = run('npm', [
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    join(scratch, tarball.filename)
  ])
  assert.equal(install.status, 0, install.stderr)
})

after(() => rmSync(scratch, { recursive: true, force: true }))

test('the package holds what runs and what explains it, and neither sources nor tests', () => {
  for (const file of ['dist/app/main.js', 'README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']) {
    assert.ok(packed.includes(file), `${file} is packed`)
  }
  assert.deepEqual(
    packed.filter(file => /^(src|test|scripts|bench|\.ci)\/|\.tsx?$/.test(file)),
    []
  )
})

test('the installed millrace prints its version', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const { status, stdout, stderr } = millrace('--version')
  assert.deepEqual({ status, stdout }, { status: 0, stdout: `${version}\n` }, stderr)
})

test('the installed millrace prints its help', () => {
  const { status, stdout, stderr } = millrace('--help')
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^Usage: millrace/)
})

test('the installed millrace reads a configuration', () => {
  writeFileSync(join(scratch, 'millrace.yaml'), 'functions: { orders: { http: "http://127.0.0.1:9000/" } }')
  const { status, stdout, stderr } = millrace('serve', '--print-config', '--output', 'json')
  assert.equal(status, 0, stderr)
  const { functions } = JSON.parse(stdout) as { functions: { value: object } }
  assert.deepEqual(Object.keys(functions.value), ['orders'])
})

test('the demo of the installed millrace ends well', () => {
  const { status, stdout, stderr } = millrace('demo', '--records', '10000')
  assert.equal(status, 0, `${stdout}\n${stderr}`)
})
