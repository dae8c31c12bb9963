import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { readConfigFile, type ConfigFile } from './config/file.ts'
import { nearest } from './config/nearest.ts'
import { credentialVariables } from './config/fields.ts'
import { refuseUnknownKeys } from './config/field-reader.ts'
import { optionKeys, options, type OptionKey } from './config/options.ts'
import { readClusters, readSecrets } from './config/clusters.ts'
import { readCredentials, readEnvironmentCredential, sectionKeys } from './config/sections.ts'
import { readFunctions } from './config/functions.ts'
import { readMappings, type WrittenMapping } from './config/mappings.ts'
import { hasAwsCredentials } from './config/aws-environment.ts'
import { groupProtocolChoices, logLevels, type Config, type Credential, type LogLevel } from './config/shape.ts'
import type { Given, Source } from './config/source.ts'
import { addressText, readValue, record, valueError } from './config/value.ts'

export type {
  Address,
  ClusterConfig,
  CommandFunctionConfig,
  Config,
  Credential,
  FunctionConfig,
  HandlerFunctionConfig,
  HttpFunctionConfig,
  LambdaFunctionConfig,
  LogLevel
} from './config/shape.ts'

export interface ConfigInputs {
  /** Absolute: where `millrace.yaml` is looked for, and what paths of flags and variables start from. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What stands on the command line, by option. */
  readonly flags?: Readonly<Partial<Record<OptionKey, string>>>
  /** The file that `--config` names. */
  readonly configFile?: string | undefined
}

/** A configuration, and how it came about. */
export interface LoadedConfig {
  readonly config: Config
  /** Each option as it was written, and where. */
  readonly given: Readonly<Record<OptionKey, Given>>
  /** Mappings of the file, which `millrace dev` runs: a server keeps its own. */
  readonly mappings: readonly WrittenMapping[]
  /** Name of the file that was read. */
  readonly file: string | undefined
  /** One of the credentials is the environment's. */
  readonly fromEnvironment: boolean
  /** Worth telling the user; nothing that stops. */
  readonly warnings: readonly string[]
}

/**
 * Reads the configuration: flags over environment over file over defaults. Changes nothing.
 * Throws `MILL_CONFIG_FILE_MISSING`, `…_UNREADABLE`, `…_KEY_UNKNOWN`, `…_VALUE` or `…_NOT_BUILT`.
 */
export async function loadConfig(inputs: ConfigInputs): Promise<LoadedConfig> {
  const named = inputs.configFile ?? (inputs.env['MILLRACE_CONFIG'] || undefined)
  const file = await readConfigFile(inputs.cwd, named)
  if (file) refuseUnknownKeys(file, [], Object.keys(file.content), [...optionKeys, ...sectionKeys])
  const given = Object.fromEntries(optionKeys.map(key => [key, strongest(key, inputs, file)])) as LoadedConfig['given']
  return {
    config: assemble(inputs, given, file),
    given,
    mappings: file ? readMappings(file) : [],
    file: file?.name,
    fromEnvironment: readEnvironmentCredential(inputs.env) !== undefined,
    warnings: misspelt(inputs.env)
  }
}

/** The value of an option that counts. */
function strongest(key: OptionKey, inputs: ConfigInputs, file: ConfigFile | undefined): Given {
  const {
    env,
    flag,
    default: otherwise
  }: { env: readonly string[]; flag?: { name: string }; default: unknown } = options[key]
  const typed = inputs.flags?.[key]
  if (typed !== undefined) return { name: key, value: typed, source: { kind: 'flag', flag: flag?.name ?? key } }
  const variable = env.find(name => inputs.env[name])
  if (variable) return { name: key, value: inputs.env[variable], source: { kind: 'environment', variable } }
  const written = file?.content[key] ?? undefined
  if (file && written !== undefined) return { name: key, value: written, source: file.source([key]) }
  return { name: key, value: otherwise, source: { kind: 'default' } }
}

function assemble({ cwd, env }: ConfigInputs, given: LoadedConfig['given'], file: ConfigFile | undefined): Config {
  const read = <K extends OptionKey>(key: K) => readValue<(typeof options)[K]['type']>(options[key].type, given[key])
  const baseDir = file?.directory ?? cwd
  const workers = read('workers')
  const logLevel = read('logLevel')
  const groupProtocol = read('groupProtocol')
  const groupInstanceId = read('groupInstanceId')
  const clientRack = read('clientRack')
  const unknownFunctions = read('unknownFunctions')
  const callsLambda = unknownFunctions === 'lambda' || (unknownFunctions === 'auto' && hasAwsCredentials(env))
  const lambdaEndpoint = env['AWS_ENDPOINT_URL_LAMBDA'] || env['AWS_ENDPOINT_URL']
  const mskBrokers = read('mskBrokers')
  const dataDir = resolve(startOfPath(given.dataDir.source, cwd, baseDir), read('dataDir'))
  const destinationDir = read('destinationDir')
  const config: Config = {
    listen: read('listen'),
    adminListen: read('adminListen'),
    dataDir,
    store: { kind: read('store') },
    region: read('region'),
    accountId: read('accountId'),
    strictAws: read('strictAws'),
    memoryBudgetMiB: read('memoryBudgetMiB'),
    workers: workers === 'auto' ? availableParallelism() : workers,
    credentials: mergeCredentials(file ? readCredentials(file) : [], readEnvironmentCredential(env)),
    functions: file ? readFunctions(file) : record([]),
    ...(callsLambda ? { unknownFunctions: 'lambda' } : {}),
    ...(lambdaEndpoint ? { lambdaEndpoint } : {}),
    clusters: file ? readClusters(file) : record([]),
    secrets: file ? readSecrets(file) : record([]),
    mskBrokers: mskBrokers === 'public' || mskBrokers === 'ipv6' ? mskBrokers : 'vpc',
    allowSaslPlaintext: read('allowSaslPlaintext'),
    refusedAddresses: read('refusedAddresses'),
    allowMetadataAddresses: read('allowMetadataAddresses'),
    groupProtocol: groupProtocolChoices.find(choice => choice === groupProtocol) ?? 'auto',
    groupSessionMs: read('groupSessionSeconds') * 1000,
    groupInstanceId: groupInstanceId === 'none' ? '' : groupInstanceId,
    clientRack: clientRack === 'none' ? '' : clientRack,
    destinationDir:
      destinationDir === 'auto'
        ? join(dataDir, 'destinations')
        : resolve(startOfPath(given.destinationDir.source, cwd, baseDir), destinationDir),
    backoff: { baseMs: read('retryBaseMs'), capMs: read('retryCapMs'), throttleCapMs: read('throttleCapMs') },
    maxFilters: read('maxFilters'),
    logLevel: logLevels.find((level): level is LogLevel => level === logLevel) ?? 'info',
    graceMs: read('graceSeconds') * 1000,
    baseDir
  }
  refuseSameAddress(config, given)
  return config
}

/** The environment over the file: its key takes the place of the one with its id. */
const mergeCredentials = (written: readonly Credential[], own: Credential | undefined): readonly Credential[] =>
  own === undefined ? written : [...written.filter(({ accessKeyId }) => accessKeyId !== own.accessKeyId), own]

/** A path in a file starts from that file, any other from where the user stands. */
const startOfPath = (source: Source, cwd: string, baseDir: string): string => (source.kind === 'file' ? baseDir : cwd)

function refuseSameAddress({ listen, adminListen }: Config, given: LoadedConfig['given']): void {
  if (listen.port !== 0 && listen.port === adminListen.port && listen.host === adminListen.host) {
    // The one that was written is the one to blame.
    const blamed = given.adminListen.source.kind === 'default' ? given.listen : given.adminListen
    throw valueError(blamed, 'another address than that of the other listener', addressText(listen))
  }
}

/** A misspelt variable would be ignored without a word; a MILLRACE_ variable that resembles nothing is somebody else's. */
function misspelt(env: ConfigInputs['env']): string[] {
  const read: string[] = [
    'MILLRACE_CONFIG',
    ...Object.values(credentialVariables),
    ...optionKeys.flatMap(key => options[key].env)
  ]
  const known = read.filter(name => name.startsWith('MILLRACE_'))
  return Object.keys(env)
    .filter(name => name.startsWith('MILLRACE_') && !known.includes(name))
    .flatMap(name => {
      const near = nearest(
        name.slice(9),
        known.map(other => other.replace('MILLRACE_', ''))
      )
      return near ? [`Environment variable ${name} is not read. Did you mean MILLRACE_${near}?`] : []
    })
}
