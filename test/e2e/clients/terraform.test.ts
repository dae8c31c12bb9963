import assert from 'node:assert/strict'
import { suite } from 'node:test'
import { sdkApi } from '../../support/mapping-api.ts'
import { Terraform, terraformTest } from '../../support/terraform.ts'
import { ClientWorld, mskArn } from './client-world.ts'

const fixture = 'test/fixtures/clients/terraform'
const topics = { self_managed: 'tf-self-managed', msk: 'tf-msk' }

const queue = 'arn:aws:sqs:us-east-1:000000000000:dead'
const order = '{"value":{"kind":["order"]}}'
const large = '{"value":{"amount":[{"numeric":[">",100]}]}}'

interface Wish {
  readonly batchSize: number
  readonly window: number
  readonly retries: number
  readonly patterns: readonly string[]
  readonly destination: string
}

// Each run of Terraform starts the provider anew, which takes seconds where nothing else runs, and many where much does.
suite('Terraform', { timeout: 400_000 }, () => {
  const world = new ClientWorld(Object.values(topics))

  terraformTest(
    'mappings of both kinds are applied, changed and destroyed, with nothing left to plan between',
    async t => {
      const terraform = await Terraform.init(t, fixture, world.access)
      const api = sdkApi(world.access)
      const set = ({ batchSize, window, retries, patterns, destination }: Wish) => [
        '-input=false',
        `-var=endpoint=${world.access.url}`,
        `-var=bootstrap=${world.bootstrap}`,
        `-var=cluster_arn=${mskArn}`,
        `-var=topics=${JSON.stringify(topics)}`,
        `-var=batch_size=${batchSize}`,
        `-var=window=${window}`,
        `-var=retries=${retries}`,
        `-var=patterns=${JSON.stringify(patterns)}`,
        `-var=destination=${destination}`
      ]
      const succeeds = async (...args: string[]) => {
        const { code, said } = await terraform.run(...args)
        assert.equal(code, 0, said)
        return said
      }
      // 0: nothing to do; 2: there are changes.
      const planIsEmpty = (vars: readonly string[]) => succeeds('plan', '-detailed-exitcode', ...vars)

      const first = set({ batchSize: 10, window: 1, retries: 3, patterns: [order], destination: queue })
      assert.match(await succeeds('apply', '-auto-approve', ...first), /2 added, 0 changed, 0 destroyed/)
      await planIsEmpty(first)
      const made = await api.list({})
      const got = new Map(made.map(mapping => [mapping.Topics?.[0], mapping]))
      assert.equal(made.length, 2)
      assert.equal(got.get(topics.self_managed)?.SourceAccessConfigurations?.length, 2)
      assert.equal(got.get(topics.msk)?.AmazonManagedKafkaEventSourceConfig?.ConsumerGroupId, 'terraform-msk')
      const what = (mappings: typeof made) =>
        mappings.map(mapping => ({
          UUID: mapping.UUID,
          BatchSize: mapping.BatchSize,
          Window: mapping.MaximumBatchingWindowInSeconds,
          Retries: mapping.MaximumRetryAttempts,
          Filters: mapping.FilterCriteria?.Filters?.map(({ Pattern }) => Pattern),
          Destination: mapping.DestinationConfig?.OnFailure?.Destination
        }))
      const all = (rest: object) => made.map(({ UUID }) => ({ UUID, ...rest }))
      const ten = { BatchSize: 10, Window: 1, Retries: 3, Filters: [order], Destination: queue }
      assert.deepEqual(what(made), all(ten))
      for (const { State } of made) assert.equal(State, 'Enabled')

      const change = { batchSize: 500, window: 0, retries: -1, patterns: [order, large], destination: `${queue}-2` }
      const second = set(change)
      assert.match(await succeeds('apply', '-auto-approve', ...second), /0 added, 2 changed, 0 destroyed/)
      await planIsEmpty(second)
      const changed = { BatchSize: 500, Window: 0, Retries: -1, Filters: [order, large], Destination: `${queue}-2` }
      assert.deepEqual(what(await api.list({})), all(changed))

      const third = set({ ...change, patterns: [], destination: '' })
      await succeeds('apply', '-auto-approve', ...third)
      await planIsEmpty(third)
      assert.deepEqual(what(await api.list({})), all({ ...changed, Filters: undefined, Destination: undefined }))

      assert.match(await succeeds('destroy', '-auto-approve', '-refresh=false', ...third), /2 destroyed/)
      assert.deepEqual(await api.list({}), [])
    }
  )
})
