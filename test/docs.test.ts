import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { createProgram, runCli } from '../src/app/cli/program.ts'
import { optionKeys, options, type Option } from '../src/app/config/options.ts'
import { anchorsOf, linksOf, shellLinesOf, tableRowsOf } from './support/markdown.ts'
import { RecordingIo } from './support/recording-io.ts'

const read = (file: string): string => readFileSync(file, 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'test/**/*.md'])
const readme = read('README.md')
const ok = async () => 0
const nothing = {
  serve: ok,
  demo: ok,
  dev: ok,
  send: ok,
  tail: ok,
  broker: ok,
  mappings: ok,
  filter: ok,
  policy: ok,
  doctor: ok
}

/** Links of a page that lead nowhere. */
function brokenLinks(page: string, text: string): string[] {
  return linksOf(text).filter(link => {
    if (/^[a-z]+:/.test(link)) return false
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    if (path !== '' && !existsSync(target)) return true
    return anchor !== undefined && !anchorsOf(path === '' ? text : read(target)).includes(anchor)
  })
}

test('relative links of every page lead somewhere', () => {
  assert.ok(pages.includes('README.md') && pages.includes('docs/dependencies.md'))
  for (const page of pages) assert.deepEqual(brokenLinks(page, read(page)), [], page)
})

test('a link to a file or heading that is not there is found', () => {
  const text =
    '# A heading\n[a](README.md) [b](missing.md) [c](#a-heading) [d](#other) `[e](code.md)` [f](https://x.org)'
  assert.deepEqual(brokenLinks('CHANGELOG.md', text), ['missing.md', '#other'])
})

test('the first two commands of the README are those for a fresh machine', () => {
  assert.deepEqual(shellLinesOf(readme).slice(0, 2), ['npm ci && npm run demo', 'npm ci && npm test'])
})

test('the README tells of every command of --help, and of no other', () => {
  const commands = createProgram(new RecordingIo(), nothing, () => undefined).commands.map(command => command.name())
  const told = tableRowsOf(readme).flatMap(([first = '']) => /^`millrace (\w+)`$/.exec(first)?.[1] ?? [])
  assert.deepEqual(told.toSorted(), commands.toSorted())
})

test('every millrace command line in the pages is one that is taken', async () => {
  const lines = pages.flatMap(page => shellLinesOf(read(page)))
  const ours = lines.flatMap(line => /^(?:npm run -s millrace -- |(?:npx )?millrace )(.*)$/.exec(line)?.[1] ?? [])
  assert.ok(ours.length > 1, 'there are command lines to look at')
  for (const line of ours) {
    const io = new RecordingIo()
    assert.equal(await runCli(line.split(/ +/), io, nothing), 0, `millrace ${line}: ${io.err}`)
  }
})

test('every npm script that the pages name is there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = pages.flatMap(page => [...read(page).matchAll(/\bnpm run (?:-s )?([\w:]+)/g)].map(([, name]) => name!))
  assert.deepEqual(
    named.filter(name => scripts[name] === undefined),
    []
  )
})

test('the README’s table of options says what the program knows', () => {
  const code = (texts: readonly string[]) => texts.map(text => `\`${text}\``).join(', ')
  const told = new Map(tableRowsOf(readme).map(([key = '', ...cells]) => [key, cells]))
  for (const key of optionKeys) {
    const { default: otherwise, env, flag }: Option = options[key]
    const quoted = key === 'accountId' ? `"${otherwise}"` : String(otherwise)
    const [defaultCell, envCell, flagCell] = told.get(`\`${key}\``) ?? []
    assert.deepEqual(
      { key, defaultCell, envCell, flagCell },
      { key, defaultCell: code([quoted]), envCell: code(env), flagCell: flag ? code([flag.name]) : '' }
    )
  }
})

test('docs/dependencies.md has a line for every dependency, and for no other', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>
  const declared = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap(kind =>
    Object.keys(manifest[kind] ?? {})
  )
  const told = tableRowsOf(read('docs/dependencies.md')).map(([name = '']) => name.replaceAll('`', ''))
  assert.deepEqual(told.toSorted(), declared.toSorted())
})

test('every line about a dependency says what for, why this one, and what would replace it', () => {
  for (const cells of tableRowsOf(read('docs/dependencies.md'))) {
    assert.equal(cells.length, 4)
    assert.ok(
      cells.every(cell => cell !== ''),
      cells.join(' | ')
    )
  }
})

/** Pages about clusters, rights and destinations: what stands in them are settings and commands for an account of the reader's. */
const elsewhere = new Set(['find-what-is-wrong', 'grant-rights', 'on-failure-destinations', 'reach-a-cluster'])

test('every how-to about functions, and the tutorial, is followed by a test', () => {
  const tests = globSync('test/**/*.test.ts').map(read)
  const followed = [...globSync('docs/how-to/*.md'), 'docs/tutorial.md'].filter(page =>
    tests.some(text => text.includes(`'${page}'`))
  )
  const wanted = globSync('docs/how-to/*.md').filter(page => !elsewhere.has(basename(page, '.md')))
  assert.deepEqual(followed.toSorted(), [...wanted, 'docs/tutorial.md'].toSorted())
})
