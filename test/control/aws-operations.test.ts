import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOperation } from '../../src/control/aws-operations.ts'

const cases = [
  ['POST', '/2015-03-31/functions', '', 'CreateFunction'],
  ['POST', '/2015-03-31/functions/', '', 'CreateFunction'],
  ['GET', '/2015-03-31/functions/arn%3Aaws%3Alambda/aliases/live', '', 'GetAlias'],
  ['DELETE', '/2015-03-31/functions/f', '', 'DeleteFunction'],
  ['GET', '/2018-10-31/layers', 'MaxItems=3', 'ListLayers'],
  ['GET', '/2018-10-31/layers', 'Arn=x&find=LayerVersion', 'GetLayerVersionByArn'],
  ['GET', '/2019-09-30/functions/f/provisioned-concurrency', 'List=ALL', 'ListProvisionedConcurrencyConfigs'],
  ['GET', '/2019-09-30/functions/f/provisioned-concurrency', 'Qualifier=1', 'GetProvisionedConcurrencyConfig'],
  ['POST', '/2025-12-01/durable-executions/x/stop', '', 'StopDurableExecution'],
  ['GET', '/2015-03-31/nothing', '', undefined],
  ['PATCH', '/2015-03-31/functions', '', undefined],
  ['GET', '/2015-03-31/functions//policy', '', undefined]
] as const

for (const [method, path, query, name] of cases)
  test(`${method} ${path}${query === '' ? '' : `?${query}`} is ${name ?? 'no operation of Lambda'}`, () => {
    assert.equal(nameOperation(method, path, query), name)
  })
