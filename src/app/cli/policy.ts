import { Argument, InvalidArgumentError, type Command } from 'commander'
import { policySubjects, type PolicyFlags, type PolicyKind } from '../policy/flags.ts'
import { outputOption, type Output } from './flags.ts'

interface GivenFlags {
  readonly principal?: string
  readonly endpointUrl?: string
  readonly dataDir?: string
  readonly output: Output
}

export function addPolicy(program: Command, run: (flags: PolicyFlags) => Promise<void>): void {
  program
    .command('policy')
    .description('Write the rights that a mapping needs: of Kafka, of IAM, of the network.')
    .addArgument(new Argument('<KIND>', 'which rights').choices(policySubjects))
    .argument('<UUID>', 'of the mapping, as "millrace mappings list" shows it', text)
    .option('--principal <User:NAME>', 'kafka: whom the ACLs are for', principal)
    .option('--endpoint-url <URL>', 'where the API is (default http://127.0.0.1:4577; MILLRACE_ENDPOINT)', text)
    .option(
      '--data-dir <DIR>',
      'sign with the key that the server keeps there (default .millrace; MILLRACE_DATA_DIR)',
      text
    )
    .addOption(outputOption('text: what a shell or the AWS CLI takes as it is; json: all that is known'))
    .addHelpText(
      'after',
      `
  kafka          lines of kafka-acls.sh; for MSK clusters that take IAM, the policy with cluster, topic and group
  function       policy of the function's execution role, for AWS's own pollers
  network        rules of security groups, for AWS's own pollers
  vpc-endpoints  endpoints of the VPC with their policies, for AWS's own pollers

What is to be kept in mind is told on stderr. Nothing is changed anywhere.

Examples:
  millrace policy kafka ${aUuid} --principal User:orders
  millrace policy function ${aUuid}
  millrace policy network ${aUuid} --output json`
    )
    .action((kind: PolicyKind, uuid: string, { principal, endpointUrl, dataDir, output }: GivenFlags) =>
      run({
        kind,
        uuid,
        output,
        ...(principal === undefined ? {} : { principal }),
        connection: {
          ...(endpointUrl === undefined ? {} : { endpointUrl }),
          ...(dataDir === undefined ? {} : { dataDir })
        }
      })
    )
}

const aUuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'

function text(given: string): string {
  if (given !== '') return given
  throw new InvalidArgumentError('It must not be empty.')
}

function principal(given: string): string {
  if (/^\w+:[^\p{Cc}]+$/u.test(given)) return given
  throw new InvalidArgumentError('It must be TYPE:NAME such as User:orders or User:CN=orders,O=shop.')
}
