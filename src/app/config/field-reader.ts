import { MillraceError } from '../../core/errors.ts'
import type { Field, Fields } from './fields.ts'
import type { ConfigFile } from './file.ts'
import { nearest } from './nearest.ts'
import type { Given } from './source.ts'
import { kindOf, readValue, valueError } from './value.ts'

export type Path = readonly (string | number)[]

/** What stands in the file under `path`, whose last key goes by `name` in errors. */
export const givenAt = (file: ConfigFile, path: Path, value: unknown): Given => ({
  name: path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`),
    ''
  ),
  value,
  source: file.source(path)
})

/** A key without a value (`functions:` with everything below commented out) counts as absent. */
export const absent = (value: unknown): value is null | undefined => value === null || value === undefined

/** Refuses the first key that is not known, naming the nearest that is. */
export function refuseUnknownKeys(
  file: ConfigFile,
  path: Path,
  keys: Iterable<string>,
  known: readonly string[]
): void {
  for (const key of keys) {
    if (known.includes(key)) continue
    const suggestion = nearest(key, known)
    const advice = suggestion === undefined ? `. Known keys: ${known.join(', ')}.` : `. Did you mean ${suggestion}?`
    throw new MillraceError('MILL_CONFIG_KEY_UNKNOWN', [
      givenAt(file, [...path, key], undefined).name,
      file.name,
      advice
    ])
  }
}

/** Keys and values under `path`. */
export function readMap(file: ConfigFile, path: Path, value: unknown, wanted: string): [string, unknown][] {
  if (absent(value)) return []
  if (typeof value !== 'object' || Array.isArray(value))
    throw valueError(givenAt(file, path, value), wanted, kindOf(value))
  return Object.entries(value)
}

/** Reads fields by name out of one map, each checked by its row of the table. */
export class FieldReader<F extends Fields> {
  readonly #file: ConfigFile
  readonly #path: Path
  readonly #values: ReadonlyMap<string, unknown>
  readonly #fields: F

  constructor(file: ConfigFile, path: Path, entries: readonly [string, unknown][], fields: F) {
    this.#file = file
    this.#path = path
    this.#values = new Map(entries)
    this.#fields = fields
  }

  given(key: keyof F & string): Given {
    return givenAt(this.#file, [...this.#path, key], this.#values.get(key))
  }

  read<K extends keyof F & string>(key: K): ReturnType<typeof readValue<F[K]['type']>> {
    const field: Field = this.#fields[key]!
    const given = this.given(key)
    // The row's own default is of the row's own type, so it passes the same check.
    const value = absent(given.value) ? field.default : given.value
    return readValue<F[K]['type']>(field.type, { ...given, value })
  }

  /** For fields without a default that may be missing. */
  readOr<K extends keyof F & string, D>(key: K, otherwise: D): ReturnType<typeof readValue<F[K]['type']>> | D {
    return absent(this.#values.get(key)) ? otherwise : this.read(key)
  }
}

export const keysOf = (entries: readonly [string, unknown][]): string[] => entries.map(([key]) => key)
