import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import { brokenLimits, createBody } from './create-body.ts'
import { readFunction } from './function.ts'
import type { TemplateProblem } from './problems.ts'
import { absent, functionOf, unresolved } from './resolver.ts'
import { samMappings } from './sam.ts'
import { readText, TemplateSource } from './source.ts'
import { isNested, Stack } from './stack.ts'
import type { TemplateFunction, TemplateMapping } from './template.ts'
import { at, below, isTree, kindOf, own, scalarText, trees } from './tree.ts'
import type { Tree } from './tree.ts'

/** A function with what speaks against it: that counts only where a mapping needs it. */
export interface FoundFunction {
  readonly fn: TemplateFunction | undefined
  readonly name: string | undefined
  readonly logicalId: string
  readonly problems: readonly TemplateProblem[]
}

export interface StackContent {
  readonly functions: FoundFunction[]
  readonly mappings: TemplateMapping[]
}

const mostLevels = 8

/** The functions and mappings of a stack and those nested in it. Problems of mappings are added to the reading's. */
export function readStack(stack: Stack, levels = 0): StackContent {
  const nested = readNested(stack, levels)
  const functions: FoundFunction[] = []
  const mappings: TemplateMapping[] = []
  for (const [logicalId, resource] of trees(stack.resources)) {
    const type = resource['Type']
    if (type === 'AWS::Serverless::Function' && !stack.isSam)
      stack.refuse(below('Resources', logicalId, 'Type'), 'needs Transform: AWS::Serverless-2016-10-31')
    if (type === 'AWS::Lambda::EventSourceMapping') mappings.push(...readWritten(stack, logicalId))
    if (type === 'AWS::Serverless::Function') mappings.push(...readEvents(stack, logicalId))
    if (type === 'AWS::Serverless::Function' || type === 'AWS::Lambda::Function')
      functions.push(...findFunction(stack, logicalId, resource))
  }
  return {
    functions: [...functions, ...nested.flatMap(content => content.functions)],
    mappings: [...mappings, ...nested.flatMap(content => content.mappings)]
  }
}

function findFunction(stack: Stack, logicalId: string, resource: Tree): FoundFunction[] {
  const metadata = isTree(resource['Metadata']) ? resource['Metadata'] : {}
  const { value, problems } = stack.reading.problems.trial(() => {
    if (stack.isMade(logicalId) === false) return undefined
    const name = stack.nameOf(logicalId)
    checkDependencies(stack, logicalId)
    if (name === undefined) return { name, fn: undefined }
    if (!/^[\w.-]{1,64}$/.test(name))
      stack.refuse(
        below('Resources', logicalId, 'Properties', 'FunctionName'),
        `must be 1 to 64 letters, digits, '-' and '_', got ${kindOf(name)}`
      )
    const properties = stack.properties(logicalId)
    const isSam = resource['Type'] === 'AWS::Serverless::Function'
    const reader = {
      resolver: stack.resolver,
      source: stack.source,
      refuse: stack.refuse.bind(stack),
      note: stack.note.bind(stack)
    }
    return { name, fn: readFunction({ logicalId, name, properties, metadata, isSam }, reader, stack.reading.options) }
  })
  return value === undefined ? [] : [{ ...value, logicalId, problems }]
}

function readEvents(stack: Stack, logicalId: string): TemplateMapping[] {
  const path = below('Resources', logicalId, 'Properties')
  // Functions without Kafka events, and those that are not made, are nobody's business here.
  const { value: events, problems } = stack.reading.problems.trial(() =>
    samMappings(logicalId, stack.properties(logicalId), path, stack)
  )
  if (events.length === 0 && problems.length === 0) return []
  const isMade = stack.isMade(logicalId)
  if (isMade !== true) return []
  stack.reading.problems.add(...problems)
  const alias = stack.aliasOf(logicalId)
  const name = stack.nameOf(logicalId)
  if (name === undefined || alias === unresolved) return []
  const target = typeof alias === 'string' ? `${name}:${alias}` : name
  return events.flatMap(event => {
    const resolved = resolveProperties(stack, event.properties, event.path)
    return readMapping(stack, event.logicalId, { FunctionName: target, ...resolved }, event.path)
  })
}

function readWritten(stack: Stack, logicalId: string): TemplateMapping[] {
  const path = below('Resources', logicalId, 'Properties')
  const properties = stack.properties(logicalId)
  if (!readsKafka(stack, logicalId, properties, path)) return []
  if (stack.isMade(logicalId) !== true) return []
  checkDependencies(stack, logicalId)
  return readMapping(stack, logicalId, resolveProperties(stack, properties, path), path)
}

/** Whether a mapping is one of ours, as far as can be said without everything that a mapping of another source needs. */
function readsKafka(stack: Stack, logicalId: string, properties: Tree, path: string): boolean {
  if (
    ['SelfManagedEventSource', 'AmazonManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig'].some(
      key => key in properties
    )
  )
    return true
  const written = properties['EventSourceArn']
  const type = stack.typeOf(referred(written) ?? '')
  if (type.startsWith('AWS::MSK::')) return true
  const isOther = /^AWS::(SQS|Kinesis|DynamoDB|AmazonMQ|DocDB)::/.test(type)
  const { value } = stack.reading.problems.trial(() =>
    isOther ? type : stack.resolver.resolve(written, at(path, 'EventSourceArn'))
  )
  const reads = typeof value === 'string' ? /^arn:[^:]*:kafka:/.test(value) : 'Topics' in properties
  if (!reads && stack.reading.problems.trial(() => stack.isMade(logicalId)).value !== false)
    stack.note(`${logicalId} reads from no Kafka topic: it is not run.`)
  return reads
}

/** The resource a `Ref` or `Fn::GetAtt` names. */
function referred(node: unknown): string | undefined {
  const name = isTree(node) ? functionOf(node) : undefined
  const argument = name === 'Ref' || name === 'Fn::GetAtt' ? own(node, name) : undefined
  const first: unknown = Array.isArray(argument) ? argument[0] : argument
  return typeof first === 'string' ? first.split('.')[0] : undefined
}

function resolveProperties(stack: Stack, properties: Tree, path: string): Tree {
  return Object.fromEntries(
    Object.entries(properties)
      .map(([key, node]) => [key, stack.resolver.resolve(node, at(path, key))] as const)
      .filter(([, value]) => value !== absent)
  )
}

function readMapping(stack: Stack, logicalId: string, properties: Tree, path: string): TemplateMapping[] {
  const refuse = stack.refuse.bind(stack)
  const { value: body, problems } = stack.reading.problems.trial(() => createBody(properties, path, refuse))
  stack.reading.problems.add(...problems)
  for (const [needed, instead] of [
    ['FunctionName'],
    ['Topics'],
    ['EventSourceArn', 'SelfManagedEventSource']
  ] as const) {
    if (properties[needed] === undefined && (instead === undefined || properties[instead] === undefined))
      refuse(at(path, needed), instead === undefined ? 'is missing' : `is missing: give it or ${instead}`)
  }
  const hasValues =
    problems.length === 0 && !Object.values(properties).includes(unresolved) && !holdsUnresolved(properties)
  if (!hasValues || typeof body.FunctionName !== 'string') return []
  const broken = brokenLimits(body)
  if (broken !== undefined) {
    refuse(path, broken)
    return []
  }
  const target = functionTarget(stack, body.FunctionName, path)
  if (target === undefined) return []
  const { functionName, qualifier, written } = target
  return [
    {
      logicalId,
      file: stack.source.file,
      path: stack.source.originOf(path).replace(/\.Properties$/, ''),
      functionName,
      ...(qualifier === undefined ? {} : { qualifier }),
      create: { ...body, FunctionName: written }
    }
  ]
}

const holdsUnresolved = (value: unknown): boolean =>
  value === unresolved ||
  (Array.isArray(value) ? value.some(holdsUnresolved) : isTree(value) && Object.values(value).some(holdsUnresolved))

/** A function of this account and region is known by its bare name; of others the whole text stays. */
function functionTarget(stack: Stack, text: string, path: string) {
  const { region, accountId } = stack.place
  try {
    const { name, qualifier, arn } = parseFunctionName(text, { region, accountId })
    const isHere = arn === parseFunctionName(name, { region, accountId }).arn
    const rest = qualifier === undefined ? {} : { qualifier }
    if (!isHere) return { functionName: text, written: text }
    return { functionName: name, ...rest, written: qualifier === undefined ? name : `${name}:${qualifier}` }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    stack.refuse(at(path, 'FunctionName'), error.message)
    return undefined
  }
}

/** CloudFormation refuses a template that waits for what it does not have. SAM makes resources of its own to wait for. */
function checkDependencies(stack: Stack, logicalId: string): void {
  const written = own(stack.resources[logicalId], 'DependsOn')
  const names: unknown[] = Array.isArray(written) ? written : written === undefined ? [] : [written]
  for (const name of names) {
    if (stack.isSam || (typeof name === 'string' && Object.hasOwn(stack.resources, name))) continue
    stack.refuse(
      below('Resources', logicalId, 'DependsOn'),
      `names ${scalarText(name) ?? kindOf(name)}, which is no resource of the template`
    )
  }
}

/** Nested stacks whose template is a file here. */
function readNested(stack: Stack, levels: number): StackContent[] {
  const children = new Map<string, Stack | undefined>()
  const child = (logicalId: string) => {
    if (!children.has(logicalId)) children.set(logicalId, openNested(stack, logicalId, levels))
    return children.get(logicalId)
  }
  const otherwise = stack.nestedOutput
  stack.nestedOutput = (logicalId, output, path) =>
    child(logicalId)?.output(output, path) ?? otherwise(logicalId, output, path)
  const ids = Object.keys(stack.resources).filter(id => isNested(stack.typeOf(id)))
  return ids.flatMap(id => {
    const nested = child(id)
    return nested === undefined ? [] : [readStack(nested, levels + 1)]
  })
}

function openNested(stack: Stack, logicalId: string, levels: number): Stack | undefined {
  const path = below('Resources', logicalId, 'Properties')
  const properties = stack.properties(logicalId)
  const isMade = stack.reading.problems.trial(() => stack.isMade(logicalId)).value
  const isSam = stack.typeOf(logicalId) === 'AWS::Serverless::Application'
  const asset = own(own(stack.resources[logicalId], 'Metadata'), 'aws:asset:path')
  const location = asset ?? properties[isSam ? 'Location' : 'TemplateURL']
  const where = at(path, isSam ? 'Location' : 'TemplateURL')
  if (isMade === false) return undefined
  if (typeof location !== 'string' || /^(https?|s3):/.test(location)) {
    stack.note(`The template of the nested stack ${logicalId} is not on this machine: nothing of it is run.`)
    return undefined
  }
  const file = isAbsolute(location) ? location : join(dirname(stack.source.file), location)
  if (!existsSync(file) || levels >= mostLevels) {
    stack.refuse(where, existsSync(file) ? `is nested in itself (${file})` : `names ${file}, which does not exist`)
    return undefined
  }
  const source = new TemplateSource(file, readText(file))
  const given = own(properties, 'Parameters')
  return new Stack({
    source,
    template: isTree(source.root) ? source.root : {},
    reading: stack.reading,
    stackName: `${stack.place.stackName}-${logicalId}`,
    prefix: `${logicalId}-`,
    howToGive: name =>
      `give it as ${below('Resources', logicalId, 'Properties', 'Parameters', name)} of ${stack.source.file}`,
    given: name => {
      const written = own(given, name)
      return written === undefined ? undefined : stack.resolver.resolve(written, below(path, 'Parameters', name))
    }
  })
}
