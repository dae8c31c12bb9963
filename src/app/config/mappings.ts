import { fieldNames } from '../../core/mapping/fields.ts'
import { absent, givenAt, keysOf, readMap, refuseUnknownKeys } from './field-reader.ts'
import type { ConfigFile } from './file.ts'
import { sourceText } from './source.ts'
import { valueError } from './value.ts'

/** A mapping as the configuration writes it: the body of CreateEventSourceMapping; its source may be missing. */
export interface WrittenMapping {
  /** For messages: `mappings[0] (millrace.yaml, line 7)`. */
  readonly place: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Members are known by name here; their values are checked by the rules of Create. */
export function readMappings(file: ConfigFile): readonly WrittenMapping[] {
  const list = file.content['mappings']
  if (absent(list)) return []
  if (!Array.isArray(list)) throw valueError(givenAt(file, ['mappings'], list), 'a list of mappings')
  return list.map((entry: unknown, at) => {
    const path = ['mappings', at]
    const given = givenAt(file, path, entry)
    if (absent(entry)) throw valueError(given, mappingWanted)
    const entries = readMap(file, path, entry, mappingWanted)
    refuseUnknownKeys(file, path, keysOf(entries), fieldNames)
    return { place: `${given.name} (${sourceText(given.source)})`, body: Object.fromEntries(entries) }
  })
}

const mappingWanted = 'a mapping with FunctionName, Topics and other members of CreateEventSourceMapping'
