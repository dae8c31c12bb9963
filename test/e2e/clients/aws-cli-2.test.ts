import { suite } from 'node:test'
import { awsCli2, cliCaller } from '../../support/aws-cli.ts'
import { testUnless } from '../../support/local-runtimes.ts'
import { clientLife, lifeTopic } from './client-life.ts'
import { ClientWorld } from './client-world.ts'

suite('the AWS CLI, version 2', { timeout: 170_000 }, () => {
  const program = awsCli2()
  const missing =
    program === undefined ? 'no version 2 of the AWS CLI here: MILLRACE_TEST_AWS_2 can name one' : undefined
  clientLife(new ClientWorld([lifeTopic]), cliCaller(program), (name, body) => testUnless(missing, name, body))
})
