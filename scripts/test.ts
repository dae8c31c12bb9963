// Runs test files under node:test. Suites under test/kafka need a real Apache Kafka and are asked for by name.
//   node scripts/test.ts            everything but test/kafka
//   node scripts/test.ts kafka      test/kafka alone
//   node scripts/test.ts FILE…      these files
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

const given = process.argv.slice(2)
const all = globSync('test/**/*.test.ts').sort()
const isKafka = (file: string) => file.startsWith('test/kafka/')
const files =
  given.length === 0 ? all.filter(file => !isKafka(file)) : given[0] === 'kafka' ? all.filter(isKafka) : given
if (files.length === 0) {
  console.error('no test files found')
  process.exit(1)
}
const concurrency = files.every(isKafka) ? 1 : 2
const run = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${concurrency}`, '--test-timeout=180000', ...files],
  { stdio: 'inherit' }
)
process.exit(run.status ?? 1)
