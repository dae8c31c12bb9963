import { unresolved } from './resolver.ts'
import { compileEvents, idOf } from './serverless-events.ts'
import type { Resources, Service } from './serverless-events.ts'
import { ServerlessVariables } from './serverless-variables.ts'
import type { TemplateSource } from './source.ts'
import { Stack } from './stack.ts'
import type { Reading } from './stack.ts'
import { at, below, isTree, kindOf, own, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** A file of the Serverless Framework: a provider and functions instead of resources alone. */
export const isServerless = (root: unknown): boolean =>
  isTree(root) && root['provider'] !== undefined && (root['functions'] !== undefined || root['service'] !== undefined)

/**
 * A serverless.yml as the CloudFormation template that the framework makes of it, as far as functions and Kafka mappings go.
 * Variables in it are worked out when they are needed.
 */
export function compileServerless(source: TemplateSource, reading: Reading): Stack {
  const refuse = (path: string, message: string) => reading.problems.add(source.problem(path, message))
  const variables = new ServerlessVariables({ source, options: reading.options, refuse })
  const root = isTree(source.root) ? source.root : {}
  const service = scalarText(variables.value(own(root['service'], 'name') ?? root['service'], 'service'))
  const compiler: Service = {
    source,
    variables,
    root,
    name: service ?? 'service',
    refuse,
    note: text => reading.notes.add(text)
  }
  if (String(root['useDotenv']) === 'true')
    compiler.note('useDotenv: the file .env is not read; set its variables in the environment.')
  const written = sections(compiler)
  const made: Resources = {}
  for (const [key, fn, path] of functionsOf(compiler)) Object.assign(made, compileFunction(compiler, key, fn, path))
  const { stackName = `${compiler.name}-${variables.stage}` } = reading.options
  return new Stack({
    source,
    template: {
      Transform: 'AWS::LanguageExtensions',
      ...written,
      Resources: { ...(isTree(written['Resources']) ? written['Resources'] : {}), ...made }
    },
    reading,
    stackName,
    prefix: '',
    given: name => own(reading.options.parameters, name),
    text: (text, path) => variables.text(text, path)
  })
}

/** `resources`, or a list of such: sections of CloudFormation, put together. */
function sections({ root, variables, source }: Service): Tree {
  const value = variables.value(root['resources'], 'resources')
  const parts: unknown[] = Array.isArray(value) ? value : [value]
  const all: Record<string, Tree> = {}
  for (const [i, part] of parts.entries()) {
    const path = Array.isArray(value) ? at('resources', i) : 'resources'
    const tree = variables.value(part, path)
    for (const name of ['Parameters', 'Mappings', 'Conditions', 'Resources', 'Outputs']) {
      const section = variables.value(own(tree, name), at(path, name))
      if (!isTree(section)) continue
      for (const key of Object.keys(section)) source.moved(below(name, key), below(path, name, key))
      all[name] = { ...all[name], ...section }
    }
  }
  return all
}

/** `functions`: a map, or a list of maps. */
function functionsOf({ root, variables, refuse }: Service): [key: string, fn: Tree, path: string][] {
  const value = variables.value(root['functions'], 'functions')
  const parts: unknown[] = Array.isArray(value) ? value : [value ?? {}]
  return parts.flatMap((part, i) => {
    const path = Array.isArray(value) ? at('functions', i) : 'functions'
    const tree = variables.value(part, path)
    if (!isTree(tree)) {
      if (tree !== unresolved) refuse(path, `must be a map, got ${kindOf(tree)}`)
      return []
    }
    return Object.entries(tree).flatMap(([key, written]): [string, Tree, string][] => {
      const fn = variables.value(written, at(path, key))
      return isTree(fn) ? [[key, fn, at(path, key)]] : []
    })
  })
}

function compileFunction(service: Service, key: string, fn: Tree, origin: string): Resources {
  const { variables, root, source } = service
  const functionId = `${idOf(key)}LambdaFunction`
  const path = below('Resources', functionId, 'Properties')
  const provider = isTree(root['provider']) ? root['provider'] : {}
  source.moved(path, origin)
  source.moved(at(path, 'Handler'), at(origin, 'handler'))
  source.moved(at(path, 'FunctionName'), at(origin, 'name'))
  const inherited = (name: string, target: string) => {
    source.moved(at(path, target), fn[name] === undefined ? below('provider', name) : at(origin, name))
    return fn[name] ?? provider[name]
  }
  const environment = (from: unknown, where: string) => {
    const value = variables.value(from, where)
    if (!isTree(value)) return {}
    for (const name of Object.keys(value)) source.moved(below(path, 'Environment', 'Variables', name), at(where, name))
    return value
  }
  const properties = {
    FunctionName: fn['name'] ?? `${service.name}-${variables.stage}-${key}`,
    Handler: fn['handler'],
    Runtime: inherited('runtime', 'Runtime'),
    // The framework's own defaults.
    Timeout: inherited('timeout', 'Timeout') ?? 6,
    MemorySize: inherited('memorySize', 'MemorySize') ?? 1024,
    Layers: inherited('layers', 'Layers'),
    Environment: {
      Variables: {
        ...environment(provider['environment'], 'provider.environment'),
        ...environment(fn['environment'], at(origin, 'environment'))
      }
    },
    Code: codeOf(service, fn, origin, path)
  }
  const target = aliasOf(fn) === undefined ? { Ref: functionId } : { 'Fn::Sub': `\${${functionId}}:${aliasOf(fn)}` }
  return {
    [functionId]: { Type: 'AWS::Lambda::Function', Properties: withoutUndefined(properties) },
    ...compileEvents(service, key, fn, origin, target)
  }
}

const withoutUndefined = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== undefined))

/** With provisioned concurrency or SnapStart the framework publishes an alias and maps to that. */
function aliasOf(fn: Tree): string | undefined {
  if (Number(fn['provisionedConcurrency'] ?? 0) > 0) return 'provisioned'
  return fn['snapStart'] === true ? 'snapstart' : undefined
}

/** The folder of the file is what the framework packs. */
function codeOf({ root, source, variables }: Service, fn: Tree, origin: string, path: string): unknown {
  if (fn['image'] !== undefined) {
    source.moved(below(path, 'Code', 'ImageUri'), at(origin, 'image'))
    return { ImageUri: fn['image'] }
  }
  for (const [owner, where] of [
    [fn, origin],
    [root, '']
  ] as const) {
    const artifact = variables.value(own(owner['package'], 'artifact'), below(where, 'package', 'artifact'))
    if (artifact === undefined) continue
    source.moved(at(path, 'Code'), below(where, 'package', 'artifact'))
    return artifact
  }
  return '.'
}
