import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { importsOf } from './support/imports.ts'
import { violations } from './support/rooms.ts'

const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
  string,
  Record<string, string>
>
const packages = Object.keys({ ...dependencies, ...optionalDependencies })

test('every source imports only what its room may', () => {
  const sources = globSync('src/**/*.ts')
  assert.ok(sources.length > 20, 'there are sources to look at')
  assert.deepEqual(
    sources.flatMap(file => violations(file, readFileSync(file, 'utf8'), packages)),
    []
  )
})

const planted = [
  ['src/core/a.ts', `import { Fleet } from '../fleet/fleet.ts'`, 'core may not import fleet'],
  ['src/core/a.ts', `import type { Clock } from '../ports/clock.ts'`, 'core may not import ports'],
  ['src/core/a.ts', `import { createHash } from 'node:crypto'`, 'core imports neither node: nor packages'],
  ['src/core/a.ts', `import { pino } from 'pino'`, 'core imports neither node: nor packages'],
  ['src/ports/a.ts', `import { plan } from '../core/retry/plan.ts'`, 'ports import core by type only'],
  ['src/ports/a.ts', `import { type Plan } from '../core/retry/plan.ts'`, 'ports import core by type only'],
  ['src/poller/a.ts', `import { openLog } from '../adapters/log/pino.ts'`, 'poller may not import adapters'],
  ['src/fleet/a.ts', `export * from '../poller/poller.ts'`, 'fleet may not import poller'],
  ['src/control/a.ts', `const x = await import('../fleet/fleet.ts')`, 'control may not import fleet'],
  ['src/adapters/log/a.ts', `import '../../app/main.ts'`, 'adapters may not import app'],
  ['src/adapters/log/a.ts', `import { a } from '../store/sqlite.ts'`, 'an outside system does not know another'],
  ['src/adapters/log/a.ts', `import { c } from '../host/system-clock.ts'`, 'an outside system does not know another'],
  ['src/fleet/a.ts', `import { EmbeddedBroker } from '../devbroker/broker.ts'`, 'fleet may not import devbroker'],
  ['src/devbroker/a.ts', `import type { Log } from '../ports/log.ts'`, 'devbroker may not import ports'],
  ['src/app/a.ts', `import { Producer } from '@platformatic/kafka'`, 'src/adapters/kafka/ alone may import it'],
  ['src/app/a.ts', `import { Kafka } from 'kafkajs'`, 'no dependency of that name in package.json'],
  ['src/app/a.ts', `import { until } from '../../test/support/poll.ts'`, 'a source imports nothing outside src'],
  ['src/app/a.ts', `import { a } from './config.js'`, 'imports of ours name the .ts file'],
  [
    'src/app/a.ts',
    `import {\n  a,\n  b\n} from '@platformatic/kafka/dist/x.js'`,
    'src/adapters/kafka/ alone may import it'
  ]
] as const

for (const [file, source, rule] of planted) {
  test(`refuses in ${file}: ${source.replaceAll('\n', ' ')}`, () => {
    const [found, ...more] = violations(file, `// first\n${source}\n`, packages)
    assert.equal(found, `${file} imports ${importsOf(source)[0]!.specifier}: ${rule}`)
    assert.deepEqual(more, [])
  })
}

test('refuses a folder that is no room', () => {
  assert.deepEqual(violations('src/utils/a.ts', '', packages), ['src/utils/a.ts: no room is called utils'])
})

test('takes what a room may import', () => {
  const allowed = [
    ['src/core/retry/a.ts', `import { backoffMs } from './backoff.ts'\nimport type { B } from '../batch/b.ts'`],
    [
      'src/ports/a.ts',
      `import type { Plan } from '../core/retry/plan.ts'\nexport type { Plan } from '../core/retry/plan.ts'`
    ],
    ['src/adapters/kafka/a.ts', `import { Connection } from '@platformatic/kafka'\nimport { once } from 'node:events'`],
    ['src/app/a.ts', `import { a } from '../devbroker/broker.ts'\nconst { parse } = await import('yaml')`],
    ['src/app/a.ts', `// import { a } from '../../test/a.ts'\nconst text = "from 'nowhere'"`]
  ] as const
  for (const [file, source] of allowed) assert.deepEqual(violations(file, source, packages), [])
})
