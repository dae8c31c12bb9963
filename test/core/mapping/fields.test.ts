import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOne } from '../../../src/core/mapping/constraints.ts'
import { fieldNames, mappingFields } from '../../../src/core/mapping/fields.ts'
import type { Field } from '../../../src/core/mapping/fields.ts'
import { parseCreate } from '../../../src/core/mapping/parse.ts'
import { applyUpdate, parseUpdate, readUpdate } from '../../../src/core/mapping/update.ts'
import { aSpec } from '../../support/stored-mapping.ts'

const rules = { strictAws: false, maxFilters: 5 }
const smk = {
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:1'] } },
  Topics: ['topic']
}

for (const name of fieldNames) {
  const { default: standard, clear, createOnly, doc, sources }: Field = mappingFields[name]
  test(`the table's row of ${name} holds together`, () => {
    assert.match(doc, /^[A-Z].*\.$/)
    assert.ok(clear === undefined || createOnly !== true, 'what Update does not take, Update cannot clear')
    if (clear !== undefined) readOne(mappingFields[name].shape, clear, name)
    if (standard !== undefined) readOne(mappingFields[name].shape, standard, name)
  })

  if (standard !== undefined && sources?.includes('self-managed') !== false)
    test(`the default of ${name}, sent, means what leaving it out means`, () => {
      const sent = parseCreate({ ...smk, [name]: standard }, rules, 0)
      const absent = parseCreate(smk, rules, 0)
      // Members that stay absent until they are set are echoed, and change nothing.
      const { parallelizationFactor: _p, maximumRetryAttempts: _r, maximumRecordAgeSeconds: _a, ...rest } = sent
      const { bisectBatchOnFunctionError: _b, ...effective } = rest
      assert.deepEqual(effective, absent)
    })

  if (clear !== undefined)
    test(`Update takes what clears ${name}`, () => {
      const before = aSpec({
        batchSize: 7,
        enabled: false,
        parallelizationFactor: 2,
        sourceAccess: [{ Type: 'a', URI: 'b' }]
      })
      const { changes } = parseUpdate(readUpdate({ [name]: clear }), before, rules)
      const after = applyUpdate(before, changes, undefined)
      const cleared: Record<string, unknown> = {
        BatchSize: after.batchSize === 100,
        Enabled: after.enabled,
        ParallelizationFactor: after.parallelizationFactor === 5,
        SourceAccessConfigurations: after.sourceAccess?.length === 0
      }
      assert.ok(cleared[name] ?? true)
    })
}
