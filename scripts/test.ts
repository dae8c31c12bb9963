// Runs test files under node:test. Suites under test/kafka need a real Apache Kafka and are asked for by name.
//   node scripts/test.ts            everything but test/kafka
//   node scripts/test.ts kafka      test/kafka alone, two files at a time: they mostly wait
//   node scripts/test.ts FILE…      these files
// With MILLRACE_TEST_COUNTS=FILE, how many passed, failed and were skipped is also written there (count-reporter.ts).
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const given = process.argv.slice(2)
const all = globSync('test/**/*.test.ts').sort()
const isKafka = (file: string) => file.startsWith('test/kafka/')
const files =
  given.length === 0 ? all.filter(file => !isKafka(file)) : given[0] === 'kafka' ? all.filter(isKafka) : given
if (files.length === 0) {
  console.error('no test files found')
  process.exit(1)
}
const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout']
const { MILLRACE_TEST_COUNTS: counts, ...env } = process.env
if (counts !== undefined) {
  const counter = fileURLToPath(import.meta.resolve('./count-reporter.ts'))
  reporters.push(`--test-reporter=${counter}`, `--test-reporter-destination=${counts}`)
}
const concurrency = 2
const run = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${concurrency}`, '--test-timeout=180000', ...reporters, ...files],
  // A test that runs this script again must not write over our counts.
  { stdio: 'inherit', env }
)
process.exit(run.status ?? 1)
