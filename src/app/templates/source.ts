import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Alias, Document, Scalar } from 'yaml'
import { TemplateError } from './problems.ts'
import type { TemplateProblem } from './problems.ts'
import { at } from './tree.ts'

/** More than any template has; a file of aliases of aliases would grow without end. */
const mostNodes = 200_000
/** Deeper than anybody writes, and well within the stack. */
const mostLevels = 200

/** `1.1` is what CloudFormation reads (`yes` is true), `1.2` what the Serverless Framework reads. */
export type YamlVersion = '1.1' | '1.2'

/**
 * The text of a template: its content, with the short forms (`!Ref x`) written out (`{ Ref: x }`), and where in the text
 * a path of it stands.
 */
export class TemplateSource {
  /** As it was named. */
  readonly file: string
  /** Absolute: what relative paths in the template are relative to. */
  readonly folder: string
  readonly root: unknown
  readonly #text: string
  readonly #moved = new Map<string, string>()
  #positions: ReadonlyMap<string, { readonly line: number; readonly column: number }> | undefined

  /** Throws TemplateError `MILL_TEMPLATE_UNREADABLE`. */
  constructor(file: string, text: string, version: YamlVersion = '1.1') {
    this.file = file
    this.folder = dirname(resolve(file))
    this.#text = text
    this.root = parse(file, text, version)
  }

  /** The same text read by the other version's rules. */
  as(version: YamlVersion): TemplateSource {
    return new TemplateSource(this.file, this.#text, version)
  }

  /** Something is looked at as if it stood at `path`, but was written at `origin`: errors name that. */
  moved(path: string, origin: string): void {
    if (path !== origin) this.#moved.set(path, origin)
  }

  /** A problem, at the place where a person finds it. */
  problem(path: string, message: string): TemplateProblem {
    const origin = this.originOf(path)
    return { file: this.file, path: origin, ...this.#positionOf(origin), message }
  }

  /** Where it was written what is looked at as if it stood at `path`. */
  originOf(path: string): string {
    let origin = path
    // What was moved may have been moved before.
    for (let times = 0; times < 8; times++) {
      const prefix = prefixesOf(origin).find(prefix => this.#moved.has(prefix))
      if (prefix === undefined) return origin
      origin = `${this.#moved.get(prefix)}${origin.slice(prefix.length)}`
    }
    return origin
  }

  #positionOf(path: string): { readonly line: number; readonly column: number } | undefined {
    // Only a template with errors pays for this.
    this.#positions ??= positionsOf(this.#text)
    const prefix = prefixesOf(path).find(prefix => this.#positions?.has(prefix))
    return prefix === undefined ? undefined : this.#positions.get(prefix)
  }
}

/** The text of a file. Throws TemplateError `MILL_TEMPLATE_UNREADABLE`. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    throw unreadable(file, error instanceof Error ? error.message : String(error))
  }
}

export const unreadable = (file: string, message: string, line?: number, column?: number): TemplateError =>
  new TemplateError('MILL_TEMPLATE_UNREADABLE', file, [
    { file, path: '', message, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) }
  ])

/** The path itself, then those above it. */
function prefixesOf(path: string): string[] {
  const ends = [...path.matchAll(/\.(?=[\w:$-])|\[(?=\d+\]|")/g)].map(({ index }) => index)
  return [path, ...ends.reverse().map(end => path.slice(0, end))].filter(prefix => prefix !== '')
}

function parse(file: string, text: string, version: YamlVersion): unknown {
  if (/^\s*\{/.test(text)) {
    const value = parseJson(text)
    if (value !== undefined && levelsOf(value) > mostLevels)
      throw unreadable(file, `is nested more than ${mostLevels} deep`)
    // YAML's flow style begins so too, and its parser knows the line of an error.
    if (value !== undefined) return value
  }
  const lines = new LineCounter()
  const document = parseText(text, version, lines)
  const error = document.errors[0]
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    throw unreadable(file, error.message.split(/ at line \d/)[0] ?? error.message, line, col)
  }
  let nodes = 0
  const targets = new Map<Alias, unknown>()
  return plain(document.contents, 0, {
    count(level) {
      if (++nodes > mostNodes) throw unreadable(file, `its aliases stand for more than ${mostNodes} values`)
      if (level > mostLevels) throw unreadable(file, `is nested more than ${mostLevels} deep`)
    },
    // The library walks the document each time that it is asked.
    target(alias) {
      const target = targets.get(alias) ?? alias.resolve(document)
      targets.set(alias, target)
      if (target !== undefined) return target
      const { line, col } = lines.linePos(alias.range?.[0] ?? 0)
      throw unreadable(file, `there is no anchor &${alias.source}`, line, col)
    }
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Without recursion, as it is what recursion is kept safe by. */
function levelsOf(value: unknown): number {
  let levels = 0
  for (let level = [value]; level.length > 0 && levels <= mostLevels; levels++)
    level = level.flatMap((node): unknown[] => (typeof node === 'object' && node !== null ? Object.values(node) : []))
  return levels
}

// Dates, base 60 and binary data are types of YAML 1.1 that CloudFormation leaves out: AWSTemplateFormatVersion is a text.
const leftOut = new Set(
  ['timestamp', 'binary', 'merge', 'omap', 'pairs', 'set'].map(name => `tag:yaml.org,2002:${name}`)
)

const parseText = (text: string, version: YamlVersion, lineCounter: LineCounter): Document =>
  parseDocument(text, {
    version,
    lineCounter,
    schema: version === '1.1' ? 'yaml-1.1' : 'core',
    customTags: tags =>
      tags.filter(
        tag => typeof tag === 'string' || !(leftOut.has(tag.tag) || ('format' in tag && tag.format === 'TIME'))
      )
  })

interface Walk {
  count(level: number): void
  target(alias: Alias): unknown
}

/** The value of a node, with the functions that short tags stand for. */
function plain(node: unknown, level: number, walk: Walk): unknown {
  walk.count(level)
  if (isAlias(node)) return plain(walk.target(node), level + 1, walk)
  if (isScalar(node)) return tagged(node.tag, exact(node))
  if (isSeq(node)) {
    return tagged(
      node.tag,
      node.items.map(item => plain(item, level + 1, walk))
    )
  }
  if (!isMap(node)) return null
  const merged: [string, unknown][] = []
  const written: [string, unknown][] = []
  for (const { key, value } of node.items) {
    const name = String(isScalar(key) ? (key.source ?? key.value) : key)
    const content = plain(value, level + 1, walk)
    if (name === '<<') merged.push(...mergedEntries(content))
    else written.push([name, content])
  }
  return tagged(node.tag, Object.fromEntries([...merged, ...written]))
}

/** Whole numbers that JavaScript would round stay texts; so does a lone dot, which the library takes for a number. */
const exact = ({ value, source }: Scalar): unknown => {
  if (typeof value !== 'number') return value
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value)
  const isNone = Number.isNaN(value) && !/^\.nan$/i.test(source ?? '')
  return isRounded || isNone ? source : value
}

/** `<<: *defaults`, or a list of such: the first wins. */
function mergedEntries(content: unknown): [string, unknown][] {
  const maps: unknown[] = Array.isArray(content) ? content.toReversed() : [content]
  return maps.flatMap(map => (typeof map === 'object' && map !== null ? Object.entries(map) : []))
}

function tagged(tag: string | undefined, value: unknown): unknown {
  if (tag === undefined || !/^![A-Za-z]/.test(tag)) return value
  const name = tag.slice(1)
  return { [name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`]: value }
}

function positionsOf(text: string): ReadonlyMap<string, { readonly line: number; readonly column: number }> {
  const found = new Map<string, { readonly line: number; readonly column: number }>()
  const lines = new LineCounter()
  const document = parseText(text, '1.2', lines)
  const note = (path: string, node: unknown) => {
    const start = typeof node === 'object' && node !== null && 'range' in node ? (node.range as number[])[0] : undefined
    if (start === undefined || path === '') return
    const { line, col } = lines.linePos(start)
    found.set(path, { line, column: col })
  }
  const walk = (node: unknown, path: string) => {
    if (isMap(node)) {
      // A function is told at the place of the value that it stands for.
      const inner = isFunctionTag(node.tag) ? at(path, `Fn::${node.tag?.slice(1)}`) : path
      for (const { key, value } of node.items) {
        const step = at(inner, String(isScalar(key) ? (key.source ?? key.value) : key))
        note(step, key)
        walk(value, step)
      }
    } else if (isSeq(node)) {
      const inner = isFunctionTag(node.tag) ? at(path, `Fn::${node.tag?.slice(1)}`) : path
      for (const [index, item] of node.items.entries()) {
        note(at(inner, index), item)
        walk(item, at(inner, index))
      }
    }
  }
  walk(document.contents, '')
  return found
}

const isFunctionTag = (tag: string | undefined): boolean => tag !== undefined && /^![A-Za-z]/.test(tag)
