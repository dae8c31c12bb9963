import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunctionName, withQualifier } from '../../../src/core/mapping/function-name.ts'

const home = { region: 'us-east-1', accountId: '000000000000' }
const arn = 'arn:aws:lambda:us-east-1:000000000000:function:f'

const forms: readonly (readonly [written: string, arn: string, qualifier?: string])[] = [
  ['f', arn],
  ['f:$LATEST', arn, '$LATEST'],
  ['f:prod', arn, 'prod'],
  ['function:f', arn],
  ['000000000000:function:f', arn],
  ['000000000000:function:f:7', arn, '7'],
  [arn, arn],
  [`${arn}:prod`, arn, 'prod'],
  ['arn:aws-cn:lambda:cn-north-1:123456789012:function:f', 'arn:aws-cn:lambda:cn-north-1:123456789012:function:f'],
  ['123456789012:function:f', 'arn:aws:lambda:us-east-1:123456789012:function:f']
]
for (const [written, expected, qualifier] of forms)
  test(`${written} is function f${qualifier === undefined ? '' : ` at ${qualifier}`}`, () => {
    const reference = parseFunctionName(written, home)
    assert.deepEqual([reference.name, reference.arn, reference.qualifier], ['f', expected, qualifier])
  })

test('what is no function name is refused by the pattern, a long bare name by its length', () => {
  for (const written of ['', 'a b', 'f:', ':1', 'arn:aws:s3:::bucket'])
    assert.throws(() => parseFunctionName(written, home), { code: 'MILL_CONSTRAINT' }, written)
  assert.throws(() => parseFunctionName('a'.repeat(65), home), {
    message: /at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64$/
  })
})

test('digits in a name are no account', () => {
  assert.equal(parseFunctionName('orders-123456789012:1', home).isLocated, false)
  for (const written of [arn, '000000000000:f', 'us-east-1:f']) assert.ok(parseFunctionName(written, home).isLocated)
})

test('FunctionArn keeps the qualifier that was written and gains none', () => {
  assert.deepEqual([withQualifier(arn, undefined), withQualifier(arn, '$LATEST')], [arn, `${arn}:$LATEST`])
})
