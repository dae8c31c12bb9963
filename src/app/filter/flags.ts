import type { Connection, Format } from '../mappings/flags.ts'

/** How the texts of a written record are to be read; `auto`: as what they look like. */
export const encodings = ['auto', 'text', 'base64'] as const
export type Encoding = (typeof encodings)[number]

/** What becomes of a record whose value has another format than the pattern asks for. */
export const mismatches = ['pass', 'drop'] as const
export type Mismatch = (typeof mismatches)[number]

/** Where a topic is looked for that no mapping tells of. */
export type LiveSource =
  | { readonly kind: 'mapping'; readonly uuid: string }
  | {
      readonly kind: 'topic'
      readonly topic: string
      /** An MSK ARN, or bootstrap servers. */
      readonly cluster: string | readonly string[]
      readonly sourceAccess: readonly { readonly Type: string; readonly URI: string }[]
    }

/** Texts are as they stand on the command line: `@FILE` names a file, `-` is stdin. */
export type FilterAction =
  | { readonly kind: 'value'; readonly patterns: readonly string[]; readonly value: string }
  | {
      readonly kind: 'record'
      readonly patterns: readonly string[]
      readonly record: string
      readonly encoding: Encoding
      readonly mismatch: Mismatch
    }
  /** A file, or `-`. */
  | { readonly kind: 'cases'; readonly cases: string }
  | {
      readonly kind: 'live'
      /** None: those of the mapping. */
      readonly patterns: readonly string[]
      readonly source: LiveSource
      readonly last: number
      /** Undefined: as the mapping has it. */
      readonly mismatch: Mismatch | undefined
      readonly configFile: string | undefined
      readonly connection: Connection
    }
  | { readonly kind: 'explain'; readonly uuid: string; readonly connection: Connection }

/** One `millrace filter …`, as it stands on the command line. */
export interface FilterFlags {
  readonly output: Format | undefined
  readonly action: FilterAction
}
