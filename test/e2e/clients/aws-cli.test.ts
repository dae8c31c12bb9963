import { suite } from 'node:test'
import { awsCliTest, awsLambda } from '../../support/aws-cli.ts'
import { clientContract, contractTopics, type Answer, type LambdaCaller } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

const dashed = (operation: string): string => operation.replaceAll(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase()

const cli: LambdaCaller = {
  async call(access, operation, input) {
    const out = await awsLambda(access, [dashed(operation), '--cli-input-json', JSON.stringify(input)])
    // It prints nothing where AWS answers nothing.
    return (out.trim() === '' ? {} : JSON.parse(out)) as Answer
  },
  async listAll(access, input, pageSize) {
    const json = ['--cli-input-json', JSON.stringify(input), '--page-size', String(pageSize)]
    const out = await awsLambda(access, ['list-event-source-mappings', ...json])
    return (JSON.parse(out) as { EventSourceMappings: Answer[] }).EventSourceMappings
  }
}

suite('the AWS CLI', { timeout: 300_000 }, () => {
  clientContract(new ClientWorld(contractTopics), cli, awsCliTest)
})
