/** Where a value was written. */
export type Source =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line?: number }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string }

/** A value as somebody wrote it: `name` is its key, or the path to it (`functions.orders.http`). */
export interface Given {
  readonly name: string
  readonly value: unknown
  readonly source: Source
}

/** Ends a sentence such as "got 7 (from …)". */
export function sourceText(source: Source): string {
  switch (source.kind) {
    case 'default':
      return 'default'
    case 'file':
      return source.line === undefined ? source.file : `${source.file}, line ${source.line}`
    case 'environment':
      return `environment variable ${source.variable}`
    case 'flag':
      return `flag ${source.flag}`
    default:
      throw new Error(`unknown source ${JSON.stringify(source satisfies never)}`)
  }
}
