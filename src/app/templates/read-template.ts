import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nearest } from '../config/nearest.ts'
import { readAssembly } from './cloud-assembly.ts'
import { Problems, TemplateError } from './problems.ts'
import { compileServerless, isServerless } from './serverless.ts'
import { readText, TemplateSource, unreadable } from './source.ts'
import { Stack } from './stack.ts'
import type { Reading } from './stack.ts'
import { readStack } from './stack-reader.ts'
import type { FoundFunction, StackContent } from './stack-reader.ts'
import type { TemplateFunction, TemplateMapping, TemplateOptions, TemplateResult } from './template.ts'
import { at, isTree, own } from './tree.ts'

export type { TemplateCode, TemplateFunction, TemplateMapping, TemplateOptions, TemplateResult } from './template.ts'
export { TemplateError } from './problems.ts'
export type { TemplateProblem } from './problems.ts'

/** Names a template is looked for under, in this order. */
export const templateNames = [
  'template.yaml',
  'template.yml',
  'template.json',
  'serverless.yml',
  'serverless.yaml',
  'serverless.json',
  'cdk.out'
] as const

/** The template of a folder that nobody named; undefined: it has none. */
export const findTemplate = (folder: string): string | undefined =>
  templateNames.map(name => join(folder, name)).find(file => existsSync(file))

/**
 * Functions and Kafka mappings of a SAM or CloudFormation template, a `cdk.out` folder or a serverless.yml. Nothing else in
 * them is looked at, and nothing is guessed: throws TemplateError `MILL_TEMPLATE` with every problem at once, or
 * `MILL_TEMPLATE_UNREADABLE`.
 */
export function readTemplate(
  file: string | { readonly text: string; readonly path: string },
  options: TemplateOptions
): TemplateResult {
  const path = typeof file === 'string' ? file : file.path
  const reading: { -readonly [K in keyof Reading]: Reading[K] } = {
    options,
    problems: new Problems(),
    notes: new Set(),
    exported: () => undefined
  }
  const stacks = openStacks(file, reading)
  reading.exported = name => stacks.map(stack => stack.exportOf(name)).find(value => value !== undefined)
  checkParameters(stacks, reading)
  const contents = stacks.map(stack => readStack(stack))
  const result = gather(contents, stacks, reading)
  if (reading.problems.found.length > 0) throw new TemplateError('MILL_TEMPLATE', path, reading.problems.found)
  return result
}

function openStacks(file: string | { readonly text: string; readonly path: string }, reading: Reading): Stack[] {
  if (typeof file === 'string' && statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    const assembly = readAssembly(file)
    const prefix = (stackName: string) => (assembly.length === 1 ? '' : `${stackName}-`)
    if (assembly.length > 0)
      return assembly.map(({ source, stackName }) => openStack(source, reading, stackName, prefix(stackName)))
    const template = findTemplate(file)
    if (template !== undefined) return openStacks(template, reading)
    throw unreadable(
      file,
      `the folder has none of ${templateNames.join(', ')}, and no *.template.json as cdk synth writes them`
    )
  }
  const source =
    typeof file === 'string' ? new TemplateSource(file, readText(file)) : new TemplateSource(file.path, file.text)
  if (isServerless(source.root)) return [compileServerless(source.as('1.2'), reading)]
  return [openStack(source, reading, reading.options.stackName ?? 'local', '')]
}

function openStack(source: TemplateSource, reading: Reading, stackName: string, prefix: string): Stack {
  if (!isTree(source.root) || !isTree(source.root['Resources']))
    throw unreadable(
      source.file,
      'is no template: it has no Resources (CloudFormation, SAM) and no functions (Serverless Framework)'
    )
  const { parameters = {} } = reading.options
  return new Stack({
    source,
    template: source.root,
    reading,
    stackName,
    prefix,
    given: name => own(parameters, `${stackName}:${name}`) ?? own(parameters, name)
  })
}

/** A parameter that no template has would be believed to do something. Those of serverless.yml need no declaration. */
function checkParameters(stacks: readonly Stack[], { options, problems }: Reading): void {
  const [first] = stacks
  if (first === undefined || first.text !== undefined) return
  const declared = stacks.flatMap(stack =>
    Object.keys(isTree(stack.template['Parameters']) ? stack.template['Parameters'] : {})
  )
  for (const name of Object.keys(options.parameters ?? {})) {
    if (declared.includes(name.slice(name.indexOf(':') + 1))) continue
    const meant = nearest(name, declared)
    const hint = meant === undefined ? (declared.length === 0 ? 'none' : declared.join(', ')) : meant
    problems.add({
      file: first.source.file,
      path: 'Parameters',
      message: `--parameter ${name}: the template has no such parameter, but ${hint}`
    })
  }
}

/** Functions that a mapping needs must be without a problem; others are left out with a note. */
function gather(contents: readonly StackContent[], stacks: readonly Stack[], reading: Reading): TemplateResult {
  const mappings = contents.flatMap(content => content.mappings)
  const needed = new Set(mappings.map(mapping => mapping.functionName))
  const functions = contents.flatMap(content => content.functions).flatMap(found => keep(found, needed, reading))
  checkNames(functions, stacks, reading)
  const known = new Set(functions.map(fn => fn.name))
  for (const { logicalId, functionName } of mappings) {
    if (!known.has(functionName) && reading.problems.found.length === 0)
      reading.notes.add(`${logicalId} calls ${functionName}, which is no function of the template.`)
  }
  return { functions, mappings, mskArns: mskArnsOf(mappings), notes: [...reading.notes] }
}

function keep(
  { fn, name, logicalId, problems }: FoundFunction,
  needed: ReadonlySet<string>,
  reading: Reading
): TemplateFunction[] {
  if (problems.length === 0) return fn === undefined ? [] : [fn]
  if (name !== undefined && needed.has(name)) reading.problems.add(...problems)
  else {
    const [first] = problems
    reading.notes.add(
      `${logicalId} is left out, as no mapping needs it and ${first?.path ?? ''} ${first?.message ?? ''}.`
    )
  }
  return []
}

function checkNames(functions: readonly TemplateFunction[], stacks: readonly Stack[], { problems }: Reading): void {
  const seen = new Map<string, TemplateFunction>()
  for (const fn of functions) {
    const other = seen.get(fn.name)
    seen.set(fn.name, fn)
    if (other === undefined) continue
    const stack = stacks.find(stack => stack.resources[fn.logicalId] !== undefined) ?? stacks[0]
    const message = `has the name ${fn.name}, which ${other.path} has as well: name one of them`
    if (stack !== undefined) problems.add(stack.source.problem(at(fn.path, 'Properties'), message))
  }
}

const mskArnsOf = (mappings: readonly TemplateMapping[]): string[] => [
  ...new Set(mappings.flatMap(({ create }) => (create.EventSourceArn === undefined ? [] : [create.EventSourceArn])))
]
