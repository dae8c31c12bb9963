import { suite } from 'node:test'
import { awsCliTest, cliCaller } from '../../support/aws-cli.ts'
import { clientContract, contractTopics } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

suite('the AWS CLI', { timeout: 300_000 }, () => {
  clientContract(new ClientWorld(contractTopics), cliCaller(), awsCliTest)
})
