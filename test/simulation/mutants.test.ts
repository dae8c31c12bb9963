import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutants } from './mutants.ts'
import { drawPlan } from './plan.ts'
import { runPlan } from './world.ts'

const seedsAtMost = 500

for (const mutant of mutants) {
  test(`finds the planted bug: ${mutant.name}`, async t => {
    const { firstSeed = 1 } = mutant
    for (let seed = firstSeed; seed < firstSeed + seedsAtMost; seed++) {
      const { failures } = await runPlan(drawPlan(seed), { mutant })
      if (failures.length === 0) continue
      t.diagnostic(`seed ${seed}: ${failures[0]}`)
      return
    }
    assert.fail(`not found in ${seedsAtMost} seeds`)
  })
}
