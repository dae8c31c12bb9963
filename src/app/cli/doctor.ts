import { InvalidArgumentError, Option, type Command } from 'commander'
import type { SourceAccess } from '../../core/mapping/mapping.ts'
import type { DoctorFlags, DoctorSubject } from '../doctor/flags.ts'

interface GivenFlags {
  readonly bootstrap?: readonly string[]
  readonly clusterArn?: string
  readonly topic?: string
  readonly group?: string
  readonly access?: readonly SourceAccess[]
  readonly tag?: Readonly<Record<string, string>>
  readonly function?: string
  readonly destination?: string
  readonly config?: string
  readonly endpointUrl?: string
  readonly dataDir?: string
  readonly output?: 'json' | 'table'
}

export function addDoctor(program: Command, run: (flags: DoctorFlags) => Promise<void>): void {
  const command = program
    .command('doctor')
    .description('Find out what keeps a mapping from its records, before or after it is made.')
    .argument('[UUID]', 'of a mapping; else the flags below say what one would be made of', text)
    .option('--bootstrap <HOST:PORT,...>', 'brokers of an own cluster', commaList)
    .addOption(
      new Option('--cluster-arn <ARN>', 'of an MSK cluster or VPC connection').argParser(text).conflicts('bootstrap')
    )
    .option('--topic <NAME>', 'the topic that is read', text)
    .option('--group <ID>', "the consumer group; a mapping's is its UUID, unless it names another", text)
    .option('--access <TYPE=ARN>', 'an entry of SourceAccessConfigurations; may be repeated', collectAccess)
    .option('--tag <KEY=VALUE>', 'a tag of the mapping, for millrace: tags; may be repeated', collectTag)
    .option('--function <NAME>', 'the function, by name or ARN', text)
    .option('--destination <ARN>', 'where what is given up goes: an ARN, kafka://topic or file:name.jsonl', text)
    .option('--config <file>', 'read functions, clusters and secrets here instead of millrace.yaml (MILLRACE_CONFIG)')
    .option('--endpoint-url <URL>', 'where the API is (default http://127.0.0.1:4577; MILLRACE_ENDPOINT)', text)
    .option(
      '--data-dir <DIR>',
      'sign with the key that the server keeps there (default .millrace; MILLRACE_DATA_DIR)',
      text
    )
    .addOption(
      new Option(
        '--output <format>',
        'form of the data on stdout (default table on a terminal, json elsewhere)'
      ).choices(['json', 'table'])
    )
    .addHelpText(
      'after',
      `
Looks at secrets, names, connections, certificates, credentials, topic, rights, group, a record, function, destination and
clock, each for a few seconds at most, from this machine and with its configuration. Writes nothing, commits nothing, takes
part in no group but one of its own, and calls no function. Ends within half a minute. Exits 1 when something is wrong.

Examples:
  millrace doctor ${aUuid}
  millrace doctor --bootstrap 127.0.0.1:9092 --topic orders --function orders
  millrace doctor --cluster-arn ${aCluster} --topic orders --output json`
    )
  command.action((uuid: string | undefined, given: GivenFlags) => {
    return run({
      subject: subjectOf(uuid, given, why => command.error(`error: ${why}`)),
      output: given.output,
      ...(given.config === undefined ? {} : { configFile: given.config }),
      connection: {
        ...(given.endpointUrl === undefined ? {} : { endpointUrl: given.endpointUrl }),
        ...(given.dataDir === undefined ? {} : { dataDir: given.dataDir })
      }
    })
  })
}

const aUuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'
const aCluster = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1'

function subjectOf(uuid: string | undefined, given: GivenFlags, refuse: (why: string) => never): DoctorSubject {
  const { bootstrap, clusterArn, topic, group, access, tag, function: functionName, destination } = given
  const cluster = clusterArn ?? bootstrap
  const described = [cluster, topic, group, access, tag, functionName, destination].some(each => each !== undefined)
  if (uuid !== undefined) {
    if (described) refuse('a UUID says it all: leave out the flags that describe a mapping')
    return { kind: 'mapping', uuid }
  }
  if (cluster === undefined)
    return refuse("name the UUID of a mapping, or a cluster by '--bootstrap' or '--cluster-arn'")
  return {
    kind: 'cluster',
    cluster,
    access: access ?? [],
    tags: tag ?? {},
    ...(topic === undefined ? {} : { topic }),
    ...(group === undefined ? {} : { groupId: group }),
    ...(functionName === undefined ? {} : { functionName }),
    ...(destination === undefined ? {} : { destination })
  }
}

function text(given: string): string {
  if (given !== '') return given
  throw new InvalidArgumentError('It must not be empty.')
}

function commaList(given: string): string[] {
  return given.split(',').map(part => {
    const server = part.trim()
    if (/^(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(server)) return server
    throw new InvalidArgumentError('It must be HOST:PORT such as 127.0.0.1:9092, several with commas.')
  })
}

const accessTypes = [
  'SASL_SCRAM_512_AUTH',
  'SASL_SCRAM_256_AUTH',
  'BASIC_AUTH',
  'CLIENT_CERTIFICATE_TLS_AUTH',
  'SERVER_ROOT_CA_CERTIFICATE'
]

function collectAccess(given: string, before: readonly SourceAccess[] = []): readonly SourceAccess[] {
  const [, Type = '', URI = ''] = /^([^=]+)=([^]+)$/.exec(given) ?? []
  if (!accessTypes.includes(Type) || !URI.startsWith('arn:'))
    // What stands there instead may be the secret itself.
    throw new InvalidArgumentError(`It must be TYPE=ARN of a secret, with TYPE one of ${accessTypes.join(', ')}.`)
  return [...before, { Type, URI }]
}

function collectTag(given: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, key, value] = /^([^=]+)=([^]*)$/.exec(given) ?? []
  if (key === undefined || value === undefined) throw new InvalidArgumentError('It must be KEY=VALUE.')
  return { ...before, [key]: value }
}
