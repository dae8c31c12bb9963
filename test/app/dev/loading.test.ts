import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { importsOf } from '../../support/imports.ts'

/** All that is loaded with this file, packages too, and not what is asked for later. */
function loadedWith(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  const source = readFileSync(file, 'utf8').replaceAll(/\bimport\(/g, 'later(')
  for (const { specifier, typeOnly } of importsOf(source)) {
    if (typeOnly) continue
    if (specifier.startsWith('.')) loadedWith(join(dirname(file), specifier), found)
    else found.add(specifier)
  }
  return found
}

test('dev loads no client of Kafka’s before it is needed: that takes longer than all the rest', () => {
  const loadsClient = (file: string) => loadedWith(`src/app/${file}`).has('@platformatic/kafka')
  assert.deepEqual([loadsClient('dev.ts'), loadsClient('dev/dev-broker.ts')], [false, false])
  // They are for brokers that were named, and for seeds.
  assert.deepEqual([loadsClient('dev/named-broker.ts'), loadsClient('dev/send-seeds.ts')], [true, true])
})
