import { CompiledPatterns } from '../../core/filter/compiler.ts'
import { JsonSyntaxError, readJson, type Json } from '../../core/filter/json.ts'
import type { Pattern } from '../../core/filter/language.ts'
import { explain, matches, type Explanation } from '../../core/filter/matcher.ts'

export interface BothWays {
  /** The plain matcher's; undefined: repeated names whose arrays can be combined in too many ways to say. */
  readonly plain: boolean | undefined
  /** That of the scanner over bytes, which is what runs in production. */
  readonly scanned: boolean | undefined
  readonly explain: () => Explanation
}

/** Patterns over whole documents, both ways that there are. What is no JSON object or list matches nothing. */
export class DocumentMatcher {
  readonly #patterns: readonly Pattern[]
  readonly #compiled: CompiledPatterns

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns
    this.#compiled = new CompiledPatterns(patterns, ({ path }) => path)
  }

  /** By pattern. */
  look(text: string): BothWays[] {
    const bytes = Buffer.from(text)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const isScanned = this.#compiled.scan(bytes, view, 0, bytes.length)
    // What the bytes say: half of a surrogate pair is gone from them.
    const document = readDocument(bytes.toString())
    return this.#patterns.map((pattern, at) => {
      const plain = document === undefined ? false : matches(pattern, document)
      return {
        plain,
        // Where it cannot tell, production asks the plain matcher too.
        scanned: isScanned ? (this.#compiled.matches(at) ?? plain) : false,
        explain: () => (document === undefined ? noDocument(text) : explain(pattern, document))
      }
    })
  }
}

/** Undefined unless it is an object or a list. */
function readDocument(text: string): Json | undefined {
  try {
    const document = readJson(text)
    return document.kind === 'object' || document.kind === 'array' ? document : undefined
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined
    throw error
  }
}

const longest = 200

const noDocument = (text: string): Explanation => ({
  matched: false,
  path: '',
  wanted: 'a JSON object or list',
  found: text.length > longest ? `${text.slice(0, longest)}…` : text
})
