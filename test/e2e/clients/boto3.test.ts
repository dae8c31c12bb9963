import { after, suite } from 'node:test'
import { boto3, boto3Test } from '../../support/boto3.ts'
import { clientContract, contractTopics } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

suite('boto3', { timeout: 120_000 }, () => {
  const caller = boto3()
  after(() => caller.close())
  clientContract(new ClientWorld(contractTopics), caller, boto3Test)
})
