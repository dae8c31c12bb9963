import { after, suite } from 'node:test'
import { Boto3, boto3Test } from '../../support/boto3.ts'
import { clientContract, contractTopics, type Answer } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

suite('boto3', { timeout: 120_000 }, () => {
  const boto3 = new Boto3()
  after(() => boto3.close())
  clientContract(
    new ClientWorld(contractTopics),
    {
      call: async (access, operation, input) => (await boto3.call(access, operation, input)) as Answer,
      async listAll(access, input, pageSize) {
        const all = await boto3.call(access, 'ListEventSourceMappings', input, pageSize)
        return (all as { EventSourceMappings: Answer[] }).EventSourceMappings
      }
    },
    boto3Test
  )
})
