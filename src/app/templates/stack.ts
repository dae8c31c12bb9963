import { partitionOf } from '../../core/mapping/function-name.ts'
import { nearest } from '../config/nearest.ts'
import { parameterValue } from './parameters.ts'
import { generatedName, isKnownType, namePropertyOf, physicalValue } from './physical.ts'
import type { Named, Place } from './physical.ts'
import type { Problems, TemplateProblem } from './problems.ts'
import { pseudoParameter } from './pseudo-parameter.ts'
import { absent, Resolver, unresolved } from './resolver.ts'
import type { Scope } from './resolver.ts'
import { withGlobals } from './sam.ts'
import type { TemplateSource } from './source.ts'
import type { TemplateOptions } from './template.ts'
import { at, below, isTree, kindOf, own, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** One reading of a template, with those nested in it. */
export interface Reading {
  readonly options: TemplateOptions
  readonly problems: Problems
  readonly notes: Set<string>
  /** `Fn::ImportValue` by the outputs of other stacks that are read; undefined: none exports the name. */
  exported(name: string): unknown
}

export interface StackInput {
  readonly source: TemplateSource
  readonly template: Tree
  readonly reading: Reading
  readonly stackName: string
  /** Before the names that functions get which have none. */
  readonly prefix: string
  /** What was given for a parameter. */
  readonly given: (parameter: string) => unknown
  /** What a person does who wants to give one; absent: says so on the command line. */
  readonly howToGive?: (parameter: string) => string
  readonly text?: Scope['text']
}

interface Outcome {
  readonly value: unknown
  readonly problems: readonly TemplateProblem[]
}

/** A template of CloudFormation (or SAM) with its parameters: what the names in it stand for. */
export class Stack implements Scope {
  readonly source: TemplateSource
  readonly template: Tree
  readonly reading: Reading
  readonly place: Place
  readonly resolver: Resolver
  readonly mappings: unknown
  readonly conditions: Tree = {}
  readonly hasLanguageExtensions: boolean
  readonly isSam: boolean
  /** Empty while loops in it are written out: those can refer to parameters alone. */
  readonly resources: Tree = {}
  /** Outputs of nested stacks; whoever reads those sets it. */
  nestedOutput: (logicalId: string, output: string, path: string) => unknown = (id, _, path) =>
    this.#unknown(path, `${id} is a nested stack that is not read`)
  readonly text?: NonNullable<Scope['text']>
  readonly #prefix: string
  readonly #given: (parameter: string) => unknown
  readonly #howToGive: (parameter: string) => string
  readonly #outcomes = new Map<string, Outcome | 'running'>()

  constructor({ source, template, reading, stackName, prefix, given, howToGive, text }: StackInput) {
    this.source = source
    this.template = template
    this.reading = reading
    this.place = { region: reading.options.region, accountId: reading.options.accountId, stackName }
    this.#prefix = prefix
    this.#given = given
    this.#howToGive = howToGive ?? (name => `give it with --parameter ${name}=VALUE`)
    if (text !== undefined) this.text = text
    const transform = template['Transform']
    const transforms: unknown[] = Array.isArray(transform) ? transform : [transform]
    this.isSam = transforms.includes('AWS::Serverless-2016-10-31')
    this.hasLanguageExtensions = transforms.includes('AWS::LanguageExtensions')
    for (const macro of transforms) {
      if (macro === undefined || macro === 'AWS::Serverless-2016-10-31' || macro === 'AWS::LanguageExtensions') continue
      this.note(
        `The transform ${scalarText(macro) ?? scalarText(own(macro, 'Name')) ?? 'of Fn::Transform'} is not run.`
      )
    }
    this.mappings = template['Mappings']
    this.resolver = new Resolver(this)
    this.conditions = this.#section('Conditions')
    this.resources = this.#section('Resources')
  }

  refuse(path: string, message: string): void {
    this.reading.problems.add(this.source.problem(path, message))
  }

  note(text: string): void {
    this.reading.notes.add(text)
  }

  moved(path: string, origin: string): void {
    this.source.moved(path, origin)
  }

  /** Whether a resource is made. undefined: its condition has no value. */
  isMade(logicalId: string): boolean | undefined {
    const condition = own(this.resources[logicalId], 'Condition')
    if (condition === undefined) return true
    const path = below('Resources', logicalId, 'Condition')
    if (typeof condition === 'string') return this.condition(condition, path)
    this.refuse(path, `must be the name of a condition, got ${kindOf(condition)}`)
    return undefined
  }

  condition(name: string, path: string): boolean | undefined {
    const written = Object.hasOwn(this.conditions, name) ? this.conditions[name] : undefined
    if (written === undefined) {
      this.refuse(
        path,
        `names the condition ${name}, which ${hint(name, this.conditions, 'the template does not have')}`
      )
      return undefined
    }
    const value = this.#once(`condition ${name}`, path, () => this.resolver.evaluate(written, at('Conditions', name)))
    return typeof value === 'boolean' ? value : undefined
  }

  ref(name: string, path: string): unknown {
    const pseudo = pseudoParameter(name, this.place)
    if (pseudo !== undefined) return pseudo
    if (own(this.template['Parameters'], name) !== undefined) return this.#parameter(name)
    if (Object.hasOwn(this.resources, name)) return this.#value(name, undefined, path)
    const generated = this.#samReference(name, path)
    if (generated !== undefined) return generated
    const given = own(this.reading.options.resources, name)
    if (given !== undefined) return given
    const known = { ...this.#tree('Parameters'), ...this.resources }
    return this.#unknown(
      path,
      `refers to ${name}, which ${hint(name, known, 'is no parameter and no resource of the template')}`
    )
  }

  attribute(name: string, attribute: string, path: string): unknown {
    if (Object.hasOwn(this.resources, name)) return this.#value(name, attribute, path)
    const given = own(this.reading.options.resources, `${name}.${attribute}`)
    if (given !== undefined) return given
    return this.#unknown(
      path,
      `refers to ${name}, which ${hint(name, this.resources, 'is no resource of the template')}`
    )
  }

  imported(name: string, path: string): unknown {
    const value = own(this.reading.options.imports, name) ?? this.reading.exported(name)
    if (value !== undefined) return value
    return this.#unknown(path, `imports ${name} from another stack: give it with --import ${name}=VALUE`)
  }

  /** The properties of a resource, those of a SAM function with the `Globals`. */
  properties(logicalId: string): Tree {
    const resource = this.resources[logicalId]
    const path = below('Resources', logicalId, 'Properties')
    const properties = own(resource, 'Properties')
    const written = isTree(properties) ? properties : {}
    if (own(resource, 'Type') !== 'AWS::Serverless::Function') return written
    return withGlobals(own(this.template['Globals'], 'Function'), written, path, this)
  }

  typeOf(logicalId: string): string {
    return scalarText(own(this.resources[logicalId], 'Type')) ?? ''
  }

  /** The name a resource has or gets; undefined: it has no value. */
  nameOf(logicalId: string): string | undefined {
    const type = this.typeOf(logicalId)
    const path = below('Resources', logicalId, 'Properties')
    const name = this.#once(`name ${logicalId}`, path, () => {
      const property = namePropertyOf(type)
      const written = property === undefined ? undefined : this.properties(logicalId)[property]
      if (written === undefined || written === null) return this.#generatedName(type, logicalId)
      const value = this.resolver.resolve(written, at(path, property ?? ''))
      if (value === absent) return this.#generatedName(type, logicalId)
      if (scalarText(value) === undefined && value !== unresolved)
        this.refuse(at(path, property ?? ''), `must be a text, got ${kindOf(value)}`)
      return scalarText(value)
    })
    return typeof name === 'string' ? name : undefined
  }

  /** What an export or an output of the stack is. */
  output(name: string, path: string): unknown {
    const written = own(own(this.template['Outputs'], name), 'Value')
    if (written === undefined) return this.#unknown(path, `${this.source.file} has no output ${name}`)
    return this.#once(`output ${name}`, path, () => this.resolver.resolve(written, below('Outputs', name, 'Value')))
  }

  /** The output that is exported under a name. Outputs whose name has no value are passed over. */
  exportOf(exportName: string): unknown {
    for (const [name, output] of Object.entries(this.#tree('Outputs'))) {
      const written = own(own(output, 'Export'), 'Name')
      if (written === undefined) continue
      const { value } = this.reading.problems.trial(() =>
        this.resolver.resolve(written, below('Outputs', name, 'Export', 'Name'))
      )
      if (value === exportName) return this.output(name, at('Outputs', name))
    }
    return undefined
  }

  #section(name: 'Conditions' | 'Resources'): Tree {
    const written = this.template[name]
    if (written === undefined || written === null) return {}
    if (isTree(written)) {
      if ('Fn::Transform' in written) this.note(`Fn::Transform in ${name} is not run.`)
      return this.resolver.writeOut(written, name)
    }
    this.refuse(name, `must be a map, got ${kindOf(written)}`)
    return {}
  }

  #tree(name: string): Tree {
    const written = this.template[name]
    return isTree(written) ? written : {}
  }

  #unknown(path: string, message: string): typeof unresolved {
    this.refuse(path, message)
    return unresolved
  }

  #parameter(name: string): unknown {
    const path = at('Parameters', name)
    const given = this.#given(name)
    if (given === unresolved) return unresolved
    const value = parameterValue(own(this.template['Parameters'], name), given, this.#howToGive(name))
    return 'problem' in value ? this.#unknown(path, value.problem) : value.value
  }

  #value(logicalId: string, attribute: string | undefined, path: string): unknown {
    const wanted = attribute === undefined ? logicalId : `${logicalId}.${attribute}`
    const given = own(this.reading.options.resources, wanted)
    if (given !== undefined) return given
    const isMade = this.isMade(logicalId)
    if (isMade === undefined) return unresolved
    if (!isMade) return this.#unknown(path, `refers to ${logicalId}, which is not made: its condition is false`)
    const value = this.#once(`value ${wanted}`, path, () => this.#resourceValue(logicalId, attribute, path))
    if (value !== undefined) return value
    const type = this.typeOf(logicalId)
    const what = isKnownType(type) && attribute !== undefined ? `${attribute} of ${type}` : type
    return this.#unknown(
      path,
      `refers to ${wanted}, and what ${what} gives is known at AWS alone: give it with --resource ${wanted}=VALUE`
    )
  }

  #resourceValue(logicalId: string, attribute: string | undefined, path: string): unknown {
    const type = this.typeOf(logicalId)
    if (type === 'AWS::Lambda::Alias' || type === 'AWS::Lambda::Version')
      return this.#published(logicalId, type, attribute)
    if (type === 'AWS::Serverless::Function' && (attribute === 'Alias' || attribute === 'Version'))
      return this.#samReference(`${logicalId}.${attribute}`, path)
    if (isNested(type) && attribute?.startsWith('Outputs.') === true)
      return this.nestedOutput(logicalId, attribute.slice('Outputs.'.length), path)
    if (!isKnownType(type)) return undefined
    const name = this.nameOf(logicalId)
    return name === undefined ? unresolved : physicalValue(type, this.#named(logicalId, name), attribute)
  }

  #named(logicalId: string, name: string): Named {
    const path = below('Resources', logicalId, 'Properties')
    const property = (key: string) => {
      const written = this.properties(logicalId)[key]
      return written === undefined ? undefined : scalarText(this.resolver.resolve(written, at(path, key)))
    }
    return { place: this.place, logicalId, name, property }
  }

  /** ARN of an alias or a version. Versions of a function count from 1, in the order of the template. */
  #published(logicalId: string, type: string, attribute: string | undefined): unknown {
    const path = below('Resources', logicalId, 'Properties')
    const properties = this.properties(logicalId)
    const text = (key: string, of: Tree = properties) => scalarText(this.resolver.resolve(of[key], at(path, key)))
    const functionName = text('FunctionName')
    if (functionName === undefined) return unresolved
    const qualifier = type === 'AWS::Lambda::Alias' ? text('Name') : this.#versionNumber(logicalId, functionName)
    const { region, accountId } = this.place
    const functionArn = functionName.startsWith('arn:')
      ? functionName
      : `arn:${partitionOf(region)}:lambda:${region}:${accountId}:function:${functionName}`
    if (attribute === undefined || attribute === 'AliasArn' || attribute === 'FunctionArn')
      return `${functionArn}:${qualifier}`
    return attribute === 'Version' ? qualifier : undefined
  }

  #versionNumber(logicalId: string, functionName: string): string {
    const versions = Object.keys(this.resources).filter(id => {
      if (this.typeOf(id) !== 'AWS::Lambda::Version') return false
      const written = this.properties(id)['FunctionName']
      return this.reading.problems.trial(() => this.resolver.resolve(written, '')).value === functionName
    })
    return String(versions.indexOf(logicalId) + 1)
  }

  /** What SAM makes beside a function with AutoPublishAlias: `Orders.Alias`, `Orders.Version`, `OrdersAliaslive`. */
  #samReference(name: string, path: string): unknown {
    const [id = '', member] = name.split('.', 2)
    if (Object.hasOwn(this.resources, id) && this.typeOf(id) === 'AWS::Serverless::Function') {
      const alias = this.aliasOf(id)
      if (alias === undefined) return this.#unknown(path, `refers to ${name}, but ${id} has no AutoPublishAlias`)
      if (alias === unresolved) return unresolved
      const arn = this.#value(id, 'Arn', path)
      const qualifier = member === 'Version' ? '1' : alias
      return typeof arn === 'string' && typeof qualifier === 'string' ? `${arn}:${qualifier}` : unresolved
    }
    const owner = Object.keys(this.resources).find(
      id =>
        this.typeOf(id) === 'AWS::Serverless::Function' &&
        name.startsWith(`${id}Alias`) &&
        name === `${id}Alias${String(this.aliasOf(id))}`
    )
    return owner === undefined ? undefined : this.#samReference(`${owner}.Alias`, path)
  }

  /** AutoPublishAlias of a SAM function; undefined: it has none. */
  aliasOf(logicalId: string): unknown {
    const written = this.properties(logicalId)['AutoPublishAlias']
    if (written === undefined || written === null) return undefined
    const value = this.resolver.resolve(written, below('Resources', logicalId, 'Properties', 'AutoPublishAlias'))
    return value === absent ? undefined : (scalarText(value) ?? unresolved)
  }

  #generatedName(type: string, logicalId: string): string {
    if (type === 'AWS::Lambda::Function' || type === 'AWS::Serverless::Function')
      return `${this.#prefix}${logicalId}`.slice(-64)
    const isFifo = String(this.properties(logicalId)['FifoQueue'] ?? this.properties(logicalId)['FifoTopic']) === 'true'
    const name = generatedName(type, this.place, logicalId, isFifo)
    if (namePropertyOf(type) !== undefined) this.note(`${logicalId} has no name in the template: ${name} is used.`)
    return name
  }

  /** Worked out once, with its problems told to everybody who asks. What refers to itself has no value. */
  #once(key: string, path: string, make: () => unknown): unknown {
    let outcome = this.#outcomes.get(key)
    if (outcome === 'running') return this.#unknown(path, 'refers to itself in the end')
    if (outcome === undefined) {
      this.#outcomes.set(key, 'running')
      outcome = this.reading.problems.trial(make)
      this.#outcomes.set(key, outcome)
    }
    this.reading.problems.add(...outcome.problems)
    return outcome.problems.length > 0 ? unresolved : outcome.value
  }
}

export const isNested = (type: string): boolean =>
  type === 'AWS::CloudFormation::Stack' || type === 'AWS::Serverless::Application'

function hint(name: string, known: Tree, otherwise: string): string {
  const meant = nearest(name, Object.keys(known))
  return meant === undefined ? otherwise : `${otherwise}: ${meant} is one`
}
