export interface Import {
  /** As written: `./record.ts`, `node:net`, `pino`. */
  readonly specifier: string
  /** Gone when types are: `import type`, `export type`. */
  readonly typeOnly: boolean
}

// `from` ends an import or export list; a list holds names, braces, commas, stars and spaces, never a quote or a semicolon.
const statement = /^\s*(?:import|export)\s+(?<type>type\s+)?(?:[\w*{}$,\s]+?\s+from\s+)?['"](?<specifier>[^'"]+)['"]/gm
const dynamic = /\bimport\(\s*['"](?<specifier>[^'"]+)['"]/g

/** What a source imports, in the order of the two ways to import. */
export function importsOf(source: string): Import[] {
  const found = [...source.matchAll(statement), ...source.matchAll(dynamic)]
  return found.map(({ groups }) => ({
    specifier: groups!['specifier']!,
    typeOnly: groups!['type'] !== undefined
  }))
}
