import { after, suite } from 'node:test'
import { LineClient } from '../../support/line-client.ts'
import { goProgram, testUnless, withoutGo } from '../../support/local-runtimes.ts'
import { clientContract, contractTopics } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

const source = 'test/fixtures/clients/go'

suite('the AWS SDK for Go v2', { timeout: 170_000 }, () => {
  const missing = withoutGo()
  const caller = new LineClient(() => [goProgram(source)])
  after(() => caller.close())
  clientContract(new ClientWorld(contractTopics), caller, (name, body) => testUnless(missing, name, body))
})
