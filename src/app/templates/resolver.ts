import { isLoop, writeOutLoops } from './for-each.ts'
import { at, below, isTree, kindOf, own, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** `AWS::NoValue`: what it is given to is left out. */
export const absent = Symbol('AWS::NoValue')
/** There is no value, and a problem says why. */
export const unresolved = Symbol('unresolved')

/** What the functions of CloudFormation refer to. What it does not know it refuses, and answers `unresolved`. */
export interface Scope {
  readonly mappings: unknown
  readonly conditions: Tree
  /** The template has the transform AWS::LanguageExtensions. */
  readonly hasLanguageExtensions: boolean
  refuse(path: string, message: string): void
  moved(path: string, origin: string): void
  ref(name: string, path: string): unknown
  attribute(name: string, attribute: string, path: string): unknown
  imported(name: string, path: string): unknown
  condition(name: string, path: string): boolean | undefined
  /** For texts in a language of their own, such as the variables of the Serverless Framework. */
  text?(text: string, path: string): unknown
}

/** Works functions of CloudFormation out: those of the part it is asked for, and nothing else. */
export class Resolver {
  readonly #scope: Scope
  readonly #open = new Set<object>()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** The value of a node, `absent`, or `unresolved`; inside of maps and lists, what is absent is left out. */
  resolve(node: unknown, path: string): unknown {
    if (typeof node === 'string') {
      const value = this.#text(node, path)
      return typeof value === 'object' && value !== null ? this.#larger(value, path) : value
    }
    if (Array.isArray(node))
      return node.map((item, i) => this.resolve(item, at(path, i))).filter(item => item !== absent)
    if (!isTree(node)) return node
    const name = functionOf(node)
    // Condition is a function in conditions alone.
    if (name === undefined || name === 'Condition') return this.#members(node, path)
    const call = this.#functions[name]
    if (call !== undefined) return call(own(node, name), path)
    return this.#refuse(path, `${name} is not known here`)
  }

  /** A condition, or a function that gives one. undefined: unresolved. */
  evaluate(node: unknown, path: string): boolean | undefined {
    const name = isTree(node) ? functionOf(node) : undefined
    const argument = name === undefined ? undefined : own(node, name)
    if (name === 'Condition' && typeof argument === 'string') return this.#scope.condition(argument, path)
    if (name === 'Fn::Equals') return this.#equals(argument, at(path, name))
    if (name === 'Fn::And' || name === 'Fn::Or' || name === 'Fn::Not')
      return this.#combine(name, argument, at(path, name))
    this.#refuse(path, 'must be a condition: Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition')
    return undefined
  }

  #refuse(path: string, message: string): typeof unresolved {
    this.#scope.refuse(path, message)
    return unresolved
  }

  #text(text: string, path: string): unknown {
    const value = this.#scope.text === undefined ? text : this.#scope.text(text, path)
    if (typeof value === 'string' && /\{\{resolve:[a-z]/.test(value))
      return this.#refuse(
        path,
        `${/\{\{resolve:[^}]*\}*/.exec(value)?.[0]} is a value that is kept at AWS: it has none here`
      )
    return value
  }

  /** What a variable stands for may have functions and variables of its own, and itself among them. */
  #larger(value: object, path: string): unknown {
    if (this.#open.has(value)) return this.#refuse(path, 'holds itself in the end')
    this.#open.add(value)
    try {
      return this.resolve(value, path)
    } finally {
      this.#open.delete(value)
    }
  }

  #members(tree: Tree, path: string): unknown {
    const written = Object.keys(tree).some(isLoop) ? this.writeOut(tree, path) : tree
    const entries = Object.entries(written).map(([key, value]) => [key, this.resolve(value, at(path, key))] as const)
    return Object.fromEntries(entries.filter(([, value]) => value !== absent))
  }

  /** A map with its loops written out. */
  writeOut(tree: Tree, path: string): Tree {
    const { hasLanguageExtensions } = this.#scope
    return writeOutLoops(tree, path, {
      resolve: (node, where) =>
        hasLanguageExtensions
          ? this.resolve(node, where)
          : this.#refuse(path, 'Fn::ForEach needs the transform AWS::LanguageExtensions'),
      refuse: (where, message) => this.#scope.refuse(where, message),
      moved: (where, origin) => this.#scope.moved(where, origin)
    })
  }

  readonly #functions: Readonly<Record<string, ((argument: unknown, path: string) => unknown) | undefined>> = {
    Ref: (argument, path) =>
      typeof argument === 'string'
        ? this.#scope.ref(argument, path)
        : this.#refuse(path, `Ref needs a name, got ${kindOf(argument)}`),
    'Fn::GetAtt': (argument, path) => this.#getAtt(argument, path),
    'Fn::Sub': (argument, path) => this.#sub(argument, path),
    'Fn::Join': (argument, path) => this.#join(argument, path),
    'Fn::Select': (argument, path) => this.#select(argument, path),
    'Fn::Split': (argument, path) => this.#split(argument, path),
    'Fn::If': (argument, path) => this.#if(argument, path),
    'Fn::FindInMap': (argument, path) => this.#findInMap(argument, path),
    'Fn::Base64': (argument, path) => {
      const text = this.#scalar(argument, at(path, 'Fn::Base64'))
      return text === undefined ? unresolved : Buffer.from(text).toString('base64')
    },
    'Fn::ImportValue': (argument, path) => {
      const name = this.#scalar(argument, at(path, 'Fn::ImportValue'))
      return name === undefined ? unresolved : this.#scope.imported(name, path)
    },
    'Fn::ToJsonString': (argument, path) => {
      const value = this.#extension('Fn::ToJsonString', argument, path)
      return value === unresolved ? value : JSON.stringify(value)
    },
    'Fn::Length': (argument, path) => {
      const value = this.#extension('Fn::Length', argument, path)
      if (value === unresolved || Array.isArray(value)) return Array.isArray(value) ? value.length : value
      return this.#refuse(path, `Fn::Length needs a list, got ${kindOf(value)}`)
    },
    'Fn::GetAZs': (_, path) => this.#refuse(path, 'Fn::GetAZs asks AWS: it has no value here'),
    'Fn::Cidr': (_, path) => this.#refuse(path, 'Fn::Cidr is not worked out here'),
    'Fn::Transform': (_, path) => this.#refuse(path, 'Fn::Transform runs a macro at AWS: it has no value here')
  }

  #extension(name: string, argument: unknown, path: string): unknown {
    if (!this.#scope.hasLanguageExtensions)
      return this.#refuse(path, `${name} needs the transform AWS::LanguageExtensions`)
    return this.resolve(argument, at(path, name))
  }

  #getAtt(argument: unknown, path: string): unknown {
    if (typeof argument === 'string') {
      const dot = argument.indexOf('.')
      if (dot > 0) return this.#scope.attribute(argument.slice(0, dot), argument.slice(dot + 1), path)
    }
    const [name, attribute]: unknown[] = Array.isArray(argument) ? argument : []
    if (isTree(name) && attribute !== undefined && this.#scope.hasLanguageExtensions) {
      const written = this.#scalar(name, below(path, 'Fn::GetAtt', 0))
      return written === undefined ? unresolved : this.#getAtt([written, attribute], path)
    }
    if (typeof name !== 'string' || attribute === undefined)
      return this.#refuse(path, `Fn::GetAtt needs a resource and an attribute, got ${kindOf(argument)}`)
    const text = this.#scalar(attribute, below(path, 'Fn::GetAtt', 1))
    return text === undefined ? unresolved : this.#scope.attribute(name, text, path)
  }

  #sub(argument: unknown, path: string): unknown {
    const [template, names]: unknown[] = Array.isArray(argument) ? argument : [argument]
    const filled = typeof template === 'string' ? this.#text(template, path) : template
    if (filled === unresolved) return unresolved
    if (typeof filled !== 'string' || (names !== undefined && !isTree(names)))
      return this.#refuse(path, `Fn::Sub needs a text, or a list of a text and a map, got ${kindOf(argument)}`)
    let isWhole = true
    const text = filled.replace(/\$\{(!?)([^{}]*)\}/g, (_, literal: string, written: string) => {
      if (literal === '!') return `\${${written}}`
      const name = written.trim()
      const given = own(names, name)
      const value = given === undefined ? this.#named(name, path) : this.resolve(given, below(path, 'Fn::Sub', 1, name))
      const part = scalarText(value)
      if (part === undefined) {
        isWhole = false
        if (value !== unresolved) this.#scope.refuse(path, `\${${name}} in Fn::Sub must be a text, got ${shown(value)}`)
      }
      return part ?? ''
    })
    return isWhole ? text : unresolved
  }

  #named(name: string, path: string): unknown {
    const dot = name.indexOf('.')
    return dot > 0 ? this.#scope.attribute(name.slice(0, dot), name.slice(dot + 1), path) : this.#scope.ref(name, path)
  }

  #join(argument: unknown, path: string): unknown {
    const [delimiter, list] = this.#pair('Fn::Join', argument, path)
    if (delimiter === undefined) return unresolved
    const items: unknown = this.resolve(list, below(path, 'Fn::Join', 1))
    if (items === unresolved) return unresolved
    if (!Array.isArray(items)) return this.#refuse(path, `Fn::Join needs a list, got ${shown(items)}`)
    const texts = items.map((item: unknown, i) => this.#asText(item, below(path, 'Fn::Join', 1, i)))
    return texts.every(text => text !== undefined) ? texts.join(delimiter) : unresolved
  }

  #select(argument: unknown, path: string): unknown {
    const [position, list] = this.#pair('Fn::Select', argument, path)
    if (position === undefined) return unresolved
    const items: unknown = this.resolve(list, below(path, 'Fn::Select', 1))
    if (items === unresolved) return unresolved
    if (!Array.isArray(items)) return this.#refuse(path, `Fn::Select needs a list, got ${shown(items)}`)
    if (/^\d+$/.test(position) && Number(position) < items.length) return items[Number(position)]
    return this.#refuse(path, `Fn::Select wants the item ${position} of a list of ${items.length}`)
  }

  #split(argument: unknown, path: string): unknown {
    const [delimiter, source] = this.#pair('Fn::Split', argument, path)
    const text = delimiter === undefined ? undefined : this.#scalar(source, below(path, 'Fn::Split', 1))
    return delimiter === undefined || text === undefined ? unresolved : text.split(delimiter)
  }

  /** The two arguments of a function, the first as text. */
  #pair(name: string, argument: unknown, path: string): [first: string | undefined, second: unknown] {
    if (!Array.isArray(argument) || argument.length !== 2) {
      this.#scope.refuse(path, `${name} needs a list of two, got ${kindOf(argument)}`)
      return [undefined, undefined]
    }
    return [this.#scalar(argument[0], below(path, name, 0)), argument[1]]
  }

  #if(argument: unknown, path: string): unknown {
    if (!Array.isArray(argument) || argument.length !== 3 || typeof argument[0] !== 'string')
      return this.#refuse(path, `Fn::If needs a condition and two values, got ${kindOf(argument)}`)
    const holds = this.#scope.condition(argument[0], path)
    if (holds === undefined) return unresolved
    const taken = holds ? 1 : 2
    return this.resolve(argument[taken], below(path, 'Fn::If', taken))
  }

  #findInMap(argument: unknown, path: string): unknown {
    if (!Array.isArray(argument) || argument.length < 3)
      return this.#refuse(path, `Fn::FindInMap needs a map and two keys, got ${kindOf(argument)}`)
    const keys = argument.slice(0, 3).map((key: unknown, i) => this.#scalar(key, below(path, 'Fn::FindInMap', i)))
    if (!keys.every(key => key !== undefined)) return unresolved
    const found = keys.reduce<unknown>(own, this.#scope.mappings)
    if (found !== undefined) return this.resolve(found, keys.reduce(at, 'Mappings'))
    const otherwise = own(argument[3], 'DefaultValue')
    if (otherwise === undefined) return this.#refuse(path, `Mappings has no ${keys.join('.')}`)
    if (!this.#scope.hasLanguageExtensions)
      return this.#refuse(path, 'DefaultValue of Fn::FindInMap needs the transform AWS::LanguageExtensions')
    return this.resolve(otherwise, below(path, 'Fn::FindInMap', 3, 'DefaultValue'))
  }

  #scalar(node: unknown, path: string): string | undefined {
    return this.#asText(this.resolve(node, path), path)
  }

  #asText(value: unknown, path: string): string | undefined {
    const text = scalarText(value)
    if (text === undefined && value !== unresolved) this.#scope.refuse(path, `must be a text, got ${shown(value)}`)
    return text
  }

  #equals(argument: unknown, path: string): boolean | undefined {
    if (!Array.isArray(argument) || argument.length !== 2) {
      this.#scope.refuse(path, `needs a list of two values, got ${kindOf(argument)}`)
      return undefined
    }
    const [one, other] = argument.map((side: unknown, i) => this.resolve(side, at(path, i)))
    if (one === unresolved || other === unresolved) return undefined
    return (scalarText(one) ?? JSON.stringify(one)) === (scalarText(other) ?? JSON.stringify(other))
  }

  #combine(name: string, argument: unknown, path: string): boolean | undefined {
    const parts: unknown[] = Array.isArray(argument) ? argument : []
    const isFit = name === 'Fn::Not' ? parts.length === 1 : parts.length >= 2
    if (!isFit) {
      this.#scope.refuse(path, `needs a list of ${name === 'Fn::Not' ? 'one condition' : '2 to 10 conditions'}`)
      return undefined
    }
    const held = parts.map((part, i) => this.evaluate(part, at(path, i)))
    if (held.includes(undefined)) return undefined
    if (name === 'Fn::Not') return held[0] === false
    return name === 'Fn::And' ? !held.includes(false) : held.includes(true)
  }
}

const shown = (value: unknown): string => (value === absent ? 'AWS::NoValue' : kindOf(value))

/** The function a map stands for: the only member of the map has a function's name. */
export function functionOf(tree: Tree): string | undefined {
  const [name, ...more] = Object.keys(tree)
  if (name === undefined || more.length > 0) return undefined
  const isFunction = name === 'Ref' || name === 'Condition' || (name.startsWith('Fn::') && !isLoop(name))
  return isFunction ? name : undefined
}
