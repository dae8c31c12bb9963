import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { partitionOf } from '../../core/mapping/function-name.ts'
import { unresolved } from './resolver.ts'
import { readText, TemplateSource } from './source.ts'
import type { TemplateOptions } from './template.ts'
import { at, kindOf, own, scalarText } from './tree.ts'

interface World {
  readonly source: TemplateSource
  readonly options: TemplateOptions
  refuse(path: string, message: string): void
}

/** `${self:custom.topic, 'orders'}`: sources are asked in turn, the first that has a value gives it. */
const opening = /\$\{(?=\s*(?:[a-zA-Z][\w-]*(?:\([^)]*\))?:(?!:)|(?:strToBool|file)\())/g

/** The variables of the Serverless Framework in a serverless.yml. `${AWS::Region}` and the like are CloudFormation's. */
export class ServerlessVariables {
  readonly #world: World
  readonly #files = new Map<string, unknown>()
  readonly #open = new Set<string>()
  #stage: string | undefined

  constructor(world: World) {
    this.#world = world
  }

  get stage(): string {
    if (this.#stage !== undefined) return this.#stage
    const given = own(this.#world.options.parameters, 'stage')
    // provider.stage may be ${opt:stage, 'dev'}; who asks for the stage meanwhile gets the default.
    this.#stage = 'dev'
    this.#stage = scalarText(given ?? this.self('provider.stage', 'provider.stage')) ?? 'dev'
    return this.#stage
  }

  /** A node whose text may be a variable for something larger; members of what comes are not looked at. */
  value(node: unknown, path: string): unknown {
    return typeof node === 'string' ? this.text(node, path) : node
  }

  /** What a text says: any kind of value where a variable is all of it. `unresolved` with a problem where one has none. */
  text(text: string, path: string): unknown {
    opening.lastIndex = 0
    const found = opening.exec(text)
    if (found === null) return text
    const end = closing(text, found.index)
    if (end === undefined) return this.#refuse(path, `has a variable without end: ${text}`)
    const value = this.#variable(text.slice(found.index + 2, end), path)
    if (value === unresolved) return value
    const [before, after] = [text.slice(0, found.index), text.slice(end + 1)]
    if (before === '' && after === '') return value
    const part = scalarText(value)
    if (part === undefined)
      return this.#refuse(path, `\${${text.slice(found.index + 2, end)}} must be a text here, got ${kindOf(value)}`)
    const rest = this.text(after, path)
    const tail = rest === unresolved ? undefined : scalarText(rest)
    return tail === undefined ? unresolved : `${before}${part}${tail}`
  }

  /** A value of the file itself by its address, such as `custom.topics.0`; undefined: there is none. */
  self(address: string, path: string): unknown {
    return this.#walk(this.#world.source.root, '', address, path)
  }

  #refuse(path: string, message: string): typeof unresolved {
    this.#world.refuse(path, message)
    return unresolved
  }

  #variable(written: string, path: string): unknown {
    for (const candidate of split(written)) {
      const inner = this.text(candidate, path)
      // A variable inside may be the whole of it, and be no text.
      const value = typeof inner === 'string' && (inner !== '' || candidate === '') ? this.#source(inner, path) : inner
      if (value !== undefined && value !== null) return value
    }
    return this.#refuse(path, `\${${written}} has no value${advice(written)}`)
  }

  #source(candidate: string, path: string): unknown {
    const literal = /^(['"])(.*)\1$/s.exec(candidate)
    if (literal !== null) return literal[2]
    if (/^(true|false)$/.test(candidate)) return candidate === 'true'
    if (/^-?\d+(\.\d+)?$/.test(candidate)) return Number(candidate)
    if (candidate === 'null') return null
    const [, truth] = /^strToBool\((.*)\)$/.exec(candidate) ?? []
    if (truth !== undefined) return this.#truth(truth, path)
    const [, type = '', argument, address = ''] =
      /^([a-zA-Z][\w-]*)(?:\(([^)]*)\))?(?::\s*(.*))?$/s.exec(candidate) ?? []
    const { options } = this.#world
    switch (type) {
      case 'self':
        return this.self(address, path)
      case 'opt':
        return this.#option(address)
      case 'env':
        return options.env?.[address]
      case 'param':
        return this.#param(address, path)
      case 'sls':
        return address === 'stage' ? this.stage : undefined
      case 'aws':
        return { accountId: options.accountId, region: options.region, partition: partitionOf(options.region) }[address]
      case 'file':
        return this.#file(argument ?? '', address, path)
      default:
        return this.#refuse(
          path,
          `\${${candidate}} is of a kind that has no value here: give it a default, as in \${${candidate}, 'value'}`
        )
    }
  }

  #option(name: string): unknown {
    const given = own(this.#world.options.parameters, name)
    return name === 'region' ? (given ?? this.#world.options.region) : given
  }

  /** Parameters of the stage win over the default ones; both places of both versions of the framework are looked at. */
  #param(name: string, path: string): unknown {
    const given = own(this.#world.options.parameters, name)
    if (given !== undefined) return given
    const { root } = this.#world.source
    const places = [this.stage, 'default'].flatMap(stage => [
      [own(own(own(own(root, 'stages'), stage), 'params'), name), `stages.${stage}.params.${name}`] as const,
      [own(own(own(root, 'params'), stage), name), `params.${stage}.${name}`] as const
    ])
    const found = places.find(([value]) => value !== undefined)
    return found === undefined ? undefined : this.#guarded(`param:${name}`, path, () => this.value(found[0], found[1]))
  }

  #truth(text: string, path: string): unknown {
    const value = this.text(text.trim(), path)
    const word = scalarText(value)?.toLowerCase()
    if (value === unresolved) return value
    if (word === 'true' || word === '1') return true
    if (word === 'false' || word === '0') return false
    return this.#refuse(path, `strToBool wants true, false, 1 or 0, got ${kindOf(value)}`)
  }

  #file(name: string, address: string, path: string): unknown {
    const file = resolve(this.#world.source.folder, name.replace(/^~/, this.#world.options.env?.['HOME'] ?? '~'))
    if (!existsSync(file)) return undefined
    if (!/\.(ya?ml|json)$/.test(file))
      return this.#refuse(path, `reads ${name}: only YAML and JSON files are read here`)
    if (!this.#files.has(file)) this.#files.set(file, new TemplateSource(file, readText(file), '1.2').root)
    return this.#walk(this.#files.get(file), file, address, path)
  }

  #walk(root: unknown, place: string, address: string, path: string): unknown {
    return this.#guarded(`${place}:${address}`, path, () => {
      let here = ''
      let value = root
      for (const step of address.split('.').filter(step => step !== '')) {
        value = this.value(value, here === '' ? path : here)
        if (value === unresolved) return value
        value = Array.isArray(value) ? (value[Number(step)] as unknown) : own(value, step)
        here = at(here, step)
      }
      return this.value(value, place === '' && here !== '' ? here : path)
    })
  }

  #guarded(key: string, path: string, find: () => unknown): unknown {
    if (this.#open.has(key)) return this.#refuse(path, `refers to itself in the end (${key.replace(/^:/, '')})`)
    this.#open.add(key)
    try {
      return find()
    } finally {
      this.#open.delete(key)
    }
  }
}

function advice(variable: string): string {
  const [, type, name] = /^\s*(opt|param|env):\s*([^,]+)/.exec(variable) ?? []
  if (type === undefined) return ''
  return type === 'env' ? `: set ${name} in the environment` : `: give it with --parameter ${name}=VALUE`
}

/** Where the `}` of the variable that begins at `start` is. */
function closing(text: string, start: number): number | undefined {
  let depth = 0
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '{') depth++
    if (text[i] === '}' && --depth === 0) return i
  }
  return undefined
}

/** At the commas, those in quotes, brackets and variables excepted. */
function split(text: string): string[] {
  const parts: string[] = ['']
  let quote = ''
  let depth = 0
  for (const letter of text) {
    if (quote !== '') quote = letter === quote ? '' : quote
    else if (letter === "'" || letter === '"') quote = letter
    else if ('({'.includes(letter)) depth++
    else if (')}'.includes(letter)) depth--
    else if (letter === ',' && depth === 0) {
      parts.push('')
      continue
    }
    parts[parts.length - 1] += letter
  }
  return parts.map(part => part.trim())
}
