import { after, suite } from 'node:test'
import { javaSdk, withoutJavaSdk } from '../../support/java-sdk.ts'
import { testUnless } from '../../support/local-runtimes.ts'
import { clientContract, contractTopics } from './client-contract.ts'
import { ClientWorld } from './client-world.ts'

suite('the AWS SDK for Java v2', { timeout: 170_000 }, () => {
  const missing = withoutJavaSdk()
  const caller = javaSdk()
  after(() => caller.close())
  clientContract(new ClientWorld(contractTopics), caller, (name, body) => testUnless(missing, name, body))
})
