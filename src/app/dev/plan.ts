import { existsSync, statSync } from 'node:fs'
import { basename, extname, join, resolve } from 'node:path'
import process from 'node:process'
import { runtimeOf } from '../../adapters/invoker/runtime-program.ts'
import type { WantedTopic } from '../../adapters/kafka/topic-admin.ts'
import { MillraceError } from '../../core/errors.ts'
import { parseDestination } from '../../core/destination/target.ts'
import type { FunctionConfig, LoadedConfig } from '../config.ts'
import { hasAwsCredentials } from '../config/aws-environment.ts'
import { functionFields } from '../config/fields.ts'
import { record } from '../config/value.ts'
import type { DevFlags, DevTopic } from '../cli/dev.ts'
import type { Io } from '../io.ts'
import { localFunctions } from '../local-functions.ts'
import { findTemplate, readTemplate, templateNames, type TemplateResult } from '../templates/read-template.ts'
import { readVariablesFile } from './variables-file.ts'
import { localMapping, type Body, type LocalMapping, type LocalRules } from './local-mapping.ts'
import { runnable, type NeededFile } from './template-function.ts'

/** What `millrace dev` runs. */
export interface DevPlan {
  /** Where it comes from, for people: a file, or flags. */
  readonly origin: string
  readonly functions: Readonly<Record<string, FunctionConfig>>
  readonly mappings: readonly LocalMapping[]
  /** Written before anything runs. */
  readonly files: readonly NeededFile[]
  /** Those that have to be there. */
  readonly topics: readonly WantedTopic[]
  /** MSK ARNs for which the broker stands. */
  readonly stoodFor: readonly string[]
  readonly notes: readonly string[]
}

/** The account of those who have none: nothing of it is at AWS. */
const noAccount = '000000000000'

interface Found {
  readonly origin: string
  readonly functions: Readonly<Record<string, FunctionConfig>>
  readonly mappings: readonly { readonly place: string; readonly body: Body }[]
  readonly files: readonly NeededFile[]
  readonly notes: readonly string[]
}

/**
 * Reads what is to run out of flags, template and configuration; changes nothing. Throws `MILL_DEV_…`, `MILL_TEMPLATE…` and what
 * the rules of a mapping refuse it with.
 */
export async function planDev(flags: DevFlags, loaded: LoadedConfig, io: Pick<Io, 'cwd' | 'env'>): Promise<DevPlan> {
  const found = await find(flags, loaded, io)
  const { config } = loaded
  const functions = record([...Object.entries(found.functions), ...Object.entries(config.functions)])
  const rules: LocalRules = {
    strictAws: config.strictAws,
    maxFilters: config.maxFilters,
    configured: arn => Object.hasOwn(config.clusters, arn),
    reachable: arn => isReachable(arn, io.env),
    brokerName: flags.bootstrap === undefined ? 'the embedded broker' : flags.bootstrap.join(',')
  }
  const mappings = found.mappings.map(({ place, body }) => localMapping(body, place, rules))
  return {
    origin: found.origin,
    functions,
    mappings,
    files: found.files,
    topics: topicsOf(mappings, flags),
    stoodFor: [...new Set(mappings.flatMap(({ stoodFor }) => stoodFor ?? []))],
    notes: [
      ...new Set([
        ...found.notes,
        ...mappings.flatMap(({ notes }) => notes),
        ...debuggerNotes(functions, flags, config)
      ])
    ]
  }
}

/** A wish that would else be met with silence. */
function debuggerNotes(
  functions: DevPlan['functions'],
  { inspect }: DevFlags,
  { baseDir }: LoadedConfig['config']
): string[] {
  if (inspect === undefined || localFunctions({ functions, baseDir }).some(fn => runtimeOf(fn) === 'node')) return []
  return ['--inspect is for functions on Node, and there are none']
}

async function find(flags: DevFlags, loaded: LoadedConfig, io: Pick<Io, 'cwd' | 'env'>): Promise<Found> {
  const { template, handler } = flags
  if (handler !== undefined) {
    if (template !== undefined)
      throw new MillraceError('MILL_DEV_NOTHING', [
        `${template} and --handler ${handler} are both named: use one of them`
      ])
    return fromHandler(handler, flags.topics, io.cwd)
  }
  if (template !== undefined) return fromTemplate(template, flags, loaded, io)
  if (loaded.mappings.length > 0) return fromConfiguration(loaded, flags)
  const lying = findTemplate(io.cwd)
  if (lying !== undefined) return fromTemplate(basename(lying), flags, loaded, io)
  throw new MillraceError('MILL_DEV_NOTHING', [
    `no template is named, ${loaded.file ?? 'millrace.yaml'} has no "mappings", and the folder has none of ${templateNames.join(', ')}. For a handler file: millrace dev --handler ./orders.handler --topic orders`
  ])
}

/** The mappings of `millrace.yaml`, to its functions. */
function fromConfiguration(
  { file = 'millrace.yaml', mappings }: LoadedConfig,
  { parameters, resources, imports, envVars }: DevFlags
): Found {
  const given = [
    ...Object.keys(parameters).map(name => `--parameter ${name}`),
    ...Object.keys(resources).map(name => `--resource ${name}`),
    ...Object.keys(imports).map(name => `--import ${name}`),
    ...(envVars === undefined ? [] : [`--env-vars ${envVars}`])
  ]
  if (given.length > 0)
    throw new MillraceError('MILL_DEV_NOTHING', [
      `${given.join(', ')} goes with a template, and what would run are the mappings of ${file}: name the template`
    ])
  return { origin: file, functions: {}, mappings, files: [], notes: [] }
}

/** One function, and a mapping for each topic. */
function fromHandler(written: string, topics: readonly DevTopic[], cwd: string): Found {
  if (topics.length === 0)
    throw new MillraceError('MILL_DEV_NOTHING', [`--handler ${written} needs a topic to read from: add --topic NAME`])
  const path = resolve(cwd, written)
  const isFile = existsSync(path) && statSync(path).isFile()
  // A file by its whole name means what Lambda's own handlers are called.
  const handler = isFile ? `${written.slice(0, -extname(written).length)}.handler` : written
  if (!isFile && !/[^/\\.]\.[A-Za-z_$][\w$]*$/.test(written))
    throw new MillraceError('MILL_DEV_NOTHING', [
      `--handler must be FILE.EXPORT such as ./orders.handler, or a file that is there, got ${written}`
    ])
  const name = basename(handler)
    .replace(/\..*$/, '')
    .replaceAll(/[^\w-]/g, '-')
    .slice(0, 64)
  const fields = functionFields.handler
  return {
    origin: written,
    functions: {
      [name]: {
        kind: 'handler',
        handler,
        directory: cwd,
        timeoutSeconds: fields.timeoutSeconds.default,
        concurrency: fields.concurrency.default,
        environment: {},
        memoryMiB: fields.memoryMiB.default,
        reload: false
      }
    },
    mappings: topics.map(topic => ({
      place: `of --topic ${topic.name}`,
      // A developer who sends one record wants to see it now.
      body: {
        FunctionName: name,
        Topics: [topic.name],
        StartingPosition: 'TRIM_HORIZON',
        MaximumBatchingWindowInSeconds: 0
      }
    })),
    files: [],
    notes: []
  }
}

async function fromTemplate(
  template: string,
  flags: DevFlags,
  { config, mappings: besides, file: configFile }: LoadedConfig,
  { cwd, env }: Pick<Io, 'cwd' | 'env'>
): Promise<Found> {
  // As it was named, for errors, wherever that is the same file.
  const file = cwd === process.cwd() ? template : resolve(cwd, template)
  const result: TemplateResult = readTemplate(file, {
    region: config.region,
    accountId: config.accountId,
    parameters: flags.parameters,
    resources: flags.resources,
    imports: flags.imports,
    environment: flags.envVars === undefined ? {} : await readVariablesFile(flags.envVars, cwd),
    elsewhere: Object.keys(config.functions),
    env
  })
  if (result.mappings.length === 0)
    throw new MillraceError('MILL_DEV_NOTHING', [
      `the template ${template} has no Kafka mappings${result.notes.length === 0 ? '' : ` (${result.notes.join(' ')})`}`
    ])
  const inlineDir = join(config.dataDir, 'dev', 'inline')
  const needed = new Set(result.mappings.map(({ functionName }) => functionName))
  const notes = [...result.notes]
  if (besides.length > 0) notes.push(`The mappings of ${configFile} are left out: ${template} is what runs.`)
  const runnables = result.functions.flatMap(fn => {
    try {
      const found = runnable(fn, inlineDir)
      return found === undefined ? [] : [[fn.name, found] as const]
    } catch (error) {
      if (needed.has(fn.name) || !(error instanceof MillraceError)) throw error
      notes.push(`${fn.name} is left out, as no mapping needs it: ${error.message}`)
      return []
    }
  })
  return {
    origin: template,
    functions: record(runnables.map(([name, { config }]) => [name, config])),
    mappings: result.mappings.map(({ logicalId, create }) => ({ place: logicalId, body: create })),
    files: runnables.flatMap(([, { files }]) => files),
    notes
  }
}

/** Topics that are read, those that failures go to, and those that flags name. */
function topicsOf(
  mappings: readonly LocalMapping[],
  { topics: named, partitions: otherwise }: Pick<DevFlags, 'topics' | 'partitions'>
): readonly WantedTopic[] {
  const wanted = new Map<string, number>()
  for (const { onBroker, parsed } of mappings) {
    if (!onBroker) continue
    wanted.set(parsed.topic, otherwise)
    if (parsed.destination === undefined) continue
    const rules = { sourceTopic: parsed.topic, strictAws: false, provisioned: true }
    const target = parseDestination(parsed.destination, rules)
    if (target.kind === 'kafka') wanted.set(target.topic, otherwise)
  }
  for (const { name, partitions } of named) wanted.set(name, partitions ?? otherwise)
  return [...wanted].map(([name, partitions]) => ({ name, partitions }))
}

function isReachable(arn: string, env: Io['env']): boolean {
  const [, , service = '', , account] = arn.split(':')
  if (env['AWS_ENDPOINT_URL'] || env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`]) return true
  return account !== noAccount && hasAwsCredentials(env)
}
