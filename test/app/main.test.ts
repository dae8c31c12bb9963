import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

const run = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })

const script = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`

test('an older Node is told what is needed, exit 2', () => {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })`
  const { status, stderr, stdout } = run('--import', script(pretend), 'src/app/main.ts', '--version')
  assert.equal(status, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /^millrace: needs Node\.js 24 or newer, but runs under 20\.1\.0/)
})

test('--version loads no more than the command line: no Kafka client, no parser of YAML, no broker', () => {
  const listLoaded = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        const resolved = next(specifier, context)
        process.stderr.write(resolved.url + '\\n')
        return resolved
      }
    })`
  const { status, stdout, stderr } = run('--import', script(listLoaded), 'src/app/main.ts', '--version')
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  const loaded = stderr.split('\n')
  assert.ok(loaded.some(url => url.endsWith('/src/app/cli/program.ts')))
  assert.deepEqual(
    loaded.filter(url => /node_modules\/(?!commander\/)|\/src\/(devbroker|adapters|fleet|poller|control)\//.test(url)),
    []
  )
})

test('a reader that goes away is no failure', async () => {
  const child = spawn(process.execPath, ['src/app/main.ts', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const [[status], said] = await Promise.all([once(child, 'exit'), text(child.stderr)])
  assert.equal(said, '')
  assert.equal(status, 0)
})

test('a usage error of the process is exit 2 with nothing on stdout', () => {
  const { status, stdout, stderr } = run('src/app/main.ts', 'fly')
  assert.equal(status, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /unknown command 'fly'/)
})
