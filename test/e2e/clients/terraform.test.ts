import assert from 'node:assert/strict'
import { suite } from 'node:test'
import { sdkApi } from '../../support/mapping-api.ts'
import { Terraform, terraformTest } from '../../support/terraform.ts'
import { ClientWorld, mskArn } from './client-world.ts'

const fixture = 'test/fixtures/clients/terraform'
const topics = { self_managed: 'tf-self-managed', msk: 'tf-msk' }

/** Not built yet; Terraform has to show why, and keep nothing of it. */
const notBuilt = `
resource "aws_lambda_event_source_mapping" "filtered" {
  event_source_arn  = var.cluster_arn
  function_name     = "first"
  topics            = ["tf-filtered"]
  starting_position = "LATEST"
  filter_criteria {
    filter {
      pattern = jsonencode({ value = { kind = ["order"] } })
    }
  }
}

resource "aws_lambda_event_source_mapping" "with_destination" {
  event_source_arn  = var.cluster_arn
  function_name     = "first"
  topics            = ["tf-destination"]
  starting_position = "LATEST"
  destination_config {
    on_failure {
      destination_arn = "arn:aws:sqs:us-east-1:000000000000:dead"
    }
  }
}
`

// Each run of Terraform starts the provider anew, which takes seconds where nothing else runs, and many where much does.
suite('Terraform', { timeout: 400_000 }, () => {
  const world = new ClientWorld([...Object.values(topics), 'tf-filtered', 'tf-destination'])

  terraformTest(
    'mappings of both kinds are applied, changed and destroyed, with nothing left to plan between',
    async t => {
      const terraform = await Terraform.init(t, fixture, world.access)
      const api = sdkApi(world.access)
      const set = (batchSize: number, window: number) => [
        '-input=false',
        `-var=endpoint=${world.access.url}`,
        `-var=bootstrap=${world.bootstrap}`,
        `-var=cluster_arn=${mskArn}`,
        `-var=topics=${JSON.stringify(topics)}`,
        `-var=batch_size=${batchSize}`,
        `-var=window=${window}`
      ]
      const succeeds = async (...args: string[]) => {
        const { code, said } = await terraform.run(...args)
        assert.equal(code, 0, said)
        return said
      }
      // 0: nothing to do; 2: there are changes.
      const planIsEmpty = (vars: readonly string[]) => succeeds('plan', '-detailed-exitcode', ...vars)

      const first = set(10, 1)
      assert.match(await succeeds('apply', '-auto-approve', ...first), /2 added, 0 changed, 0 destroyed/)
      await planIsEmpty(first)
      const made = await api.list({})
      const got = new Map(made.map(mapping => [mapping.Topics?.[0], mapping]))
      assert.equal(made.length, 2)
      assert.equal(got.get(topics.self_managed)?.SourceAccessConfigurations?.length, 2)
      assert.equal(got.get(topics.msk)?.AmazonManagedKafkaEventSourceConfig?.ConsumerGroupId, 'terraform-msk')
      for (const { BatchSize, MaximumBatchingWindowInSeconds, State } of made) {
        assert.deepEqual([BatchSize, MaximumBatchingWindowInSeconds, State], [10, 1, 'Enabled'])
      }

      // What is refused stops nothing else, and leaves nothing behind.
      const second = set(500, 0)
      await terraform.write('not-built.tf', notBuilt)
      const refused = await terraform.run('apply', '-auto-approve', ...second)
      assert.equal(refused.code, 1, refused.said)
      assert.match(refused.said, /InvalidParameterValueException: Millrace\s+does\s+not\s+support\s+FilterCriteria/)
      assert.match(refused.said, /InvalidParameterValueException: Millrace\s+does\s+not\s+support\s+DestinationConfig/)
      await terraform.write('not-built.tf', '')
      await planIsEmpty(second)
      const changed = await api.list({})
      assert.deepEqual(
        changed.map(({ UUID, BatchSize, MaximumBatchingWindowInSeconds }) => [
          UUID,
          BatchSize,
          MaximumBatchingWindowInSeconds
        ]),
        made.map(({ UUID }) => [UUID, 500, 0])
      )

      assert.match(await succeeds('destroy', '-auto-approve', '-refresh=false', ...second), /2 destroyed/)
      assert.deepEqual(await api.list({}), [])
    }
  )
})
