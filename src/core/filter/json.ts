/**
 * JSON as it was written: repeated names and the digits of numbers survive, which `JSON.parse` loses and patterns ask for.
 * What is refused and what is taken is the same as there.
 */
export type Json =
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | Scalar

export type Scalar =
  | { readonly kind: 'string'; readonly value: string }
  /** `text` is the number as it was written. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: 'true' | 'false' | 'null' }

export interface Member {
  readonly name: string
  readonly value: Json
}

export class JsonSyntaxError extends Error {
  /** Position in the text, in UTF-16 units. */
  readonly at: number

  constructor(reason: string, at: number) {
    super(reason)
    this.name = 'JsonSyntaxError'
    this.at = at
  }
}

type Open =
  | { readonly node: { readonly kind: 'object'; readonly members: Member[] }; name: string }
  | { readonly node: { readonly kind: 'array'; readonly items: Json[] }; name?: undefined }

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const literal = /true|false|null/y
const space = /[ \t\n\r]*/y

/** Reads a whole text. Depth costs memory but no stack. Throws JsonSyntaxError. */
export function readJson(text: string): Json {
  return new JsonReader(text).read()
}

class JsonReader {
  readonly #text: string
  readonly #open: Open[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): Json {
    for (;;) {
      let value = this.#beginValue()
      // A value may end the container it is in, which then is a value itself.
      while (value !== undefined) {
        const open = this.#open.at(-1)
        if (open === undefined) return this.#finish(value)
        if (open.node.kind === 'object') open.node.members.push({ name: open.name!, value })
        else open.node.items.push(value)
        value = this.#afterValue(open)
      }
    }
  }

  /** A scalar or an empty container; undefined when a container was opened and its first value comes next. */
  #beginValue(): Json | undefined {
    this.#skip()
    const first = this.#text[this.#at]
    if (first === '{') {
      this.#at++
      const node = { kind: 'object' as const, members: [] as Member[] }
      if (this.#take('}')) return node
      this.#open.push({ node, name: this.#name() })
      return undefined
    }
    if (first === '[') {
      this.#at++
      const node = { kind: 'array' as const, items: [] as Json[] }
      if (this.#take(']')) return node
      this.#open.push({ node })
      return undefined
    }
    return this.#scalar(first)
  }

  /** Undefined when another value follows in the same container. */
  #afterValue(open: Open): Json | undefined {
    if (this.#take(',')) {
      if (open.node.kind === 'object') open.name = this.#name()
      return undefined
    }
    if (!this.#take(open.node.kind === 'object' ? '}' : ']'))
      throw this.#unexpected(open.node.kind === 'object' ? "',' or '}'" : "',' or ']'")
    this.#open.pop()
    return open.node
  }

  #finish(value: Json): Json {
    this.#skip()
    if (this.#at < this.#text.length) throw this.#unexpected('nothing more')
    return value
  }

  #name(): string {
    this.#skip()
    if (this.#text[this.#at] !== '"') throw this.#unexpected('a name in quotes')
    const name = this.#string()
    if (!this.#take(':')) throw this.#unexpected("':'")
    return name
  }

  #scalar(first: string | undefined): Scalar {
    if (first === '"') return { kind: 'string', value: this.#string() }
    const text = this.#match(number)
    if (text !== undefined) return { kind: 'number', text }
    const word = this.#match(literal)
    if (word !== undefined) return { kind: 'literal', text: word as 'true' | 'false' | 'null' }
    throw this.#unexpected('a value')
  }

  #string(): string {
    const from = this.#at
    let escapes = false
    for (let at = from + 1; ; at++) {
      const unit = this.#text.charCodeAt(at)
      // Past the end it is NaN.
      if (!(unit >= 32)) throw new JsonSyntaxError('a string does not end, or holds a control character', from)
      if (unit === 34) {
        this.#at = at + 1
        const raw = this.#text.slice(from, this.#at)
        return escapes ? (JSON.parse(raw) as string) : raw.slice(1, -1)
      }
      if (unit !== 92) continue
      this.#at = at
      const found = this.#match(escape)
      if (found === undefined) throw new JsonSyntaxError('a backslash begins no escape that JSON has', at)
      escapes = true
      at += found.length - 1
    }
  }

  #match(what: RegExp): string | undefined {
    what.lastIndex = this.#at
    const found = what.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #take(mark: string): boolean {
    this.#skip()
    if (this.#text[this.#at] !== mark) return false
    this.#at++
    return true
  }

  #skip(): void {
    this.#match(space)
  }

  #unexpected(wanted: string): JsonSyntaxError {
    const found = this.#text[this.#at]
    return new JsonSyntaxError(`expected ${wanted}, found ${found === undefined ? 'the end' : `'${found}'`}`, this.#at)
  }
}

/** Back to text, numbers as they were written. */
export function jsonText(value: Json): string {
  switch (value.kind) {
    case 'object':
      return `{${value.members.map(({ name, value }) => `${JSON.stringify(name)}:${jsonText(value)}`).join(',')}}`
    case 'array':
      return `[${value.items.map(jsonText).join(',')}]`
    case 'string':
      return JSON.stringify(value.value)
    case 'number':
    case 'literal':
      return value.text
    default:
      throw new Error(`no such JSON: ${value satisfies never}`)
  }
}
