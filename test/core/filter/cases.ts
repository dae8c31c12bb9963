import { readFileSync } from 'node:fs'
import { CompiledPatterns } from '../../../src/core/filter/compiler.ts'
import { readJson } from '../../../src/core/filter/json.ts'
import { parsePattern, type Pattern } from '../../../src/core/filter/language.ts'
import { matches } from '../../../src/core/filter/matcher.ts'

export interface RecordedCase {
  readonly name: string
  readonly pattern: string
  /** Absent for an invalid pattern. */
  readonly event?: string
  readonly match?: boolean
}

interface Line {
  readonly name: string
  readonly pattern?: unknown
  readonly patternText?: string
  readonly event?: unknown
  readonly eventText?: string
  readonly match?: boolean
}

export function recordedCases(): RecordedCase[] {
  const lines = readFileSync(new URL('cases.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
  return lines.map(text => {
    const line = JSON.parse(text) as Line
    const pattern = line.patternText ?? JSON.stringify(line.pattern)
    if (line.match === undefined) return { name: line.name, pattern }
    return { name: line.name, pattern, event: line.eventText ?? JSON.stringify(line.event), match: line.match }
  })
}

/** What the scanner says of a document: 'not JSON' unless it is an object or a list. */
export function scanned(pattern: Pattern, bytes: Uint8Array): boolean | undefined | 'not JSON' {
  const compiled = new CompiledPatterns([pattern], ({ path }) => path)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return compiled.scan(bytes, view, 0, bytes.length) ? compiled.matches(0) : 'not JSON'
}

/** What both ways to match say of one document; they are compared elsewhere. */
export function bothWays(patternText: string, event: string): { plain: boolean | undefined; scanned: unknown } {
  const pattern = parsePattern(patternText)
  return { plain: matches(pattern, readJson(event)), scanned: scanned(pattern, Buffer.from(event)) }
}
