import type { MappingHistoryEntry } from '../../control/shapes.ts'
import type { Io } from '../io.ts'
import type { Mapping } from './api.ts'
import type { Format } from './flags.ts'
import { sheet, tabbed, table, type TableLook } from './table.ts'

/** A table on a terminal, JSON for whatever reads a pipe, unless the user says. */
export const formatOf = (given: Format | undefined, { columns }: Pick<Io, 'columns'>): Format =>
  given ?? (columns === undefined ? 'json' : 'table')

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

export const mappingHead = ['UUID', 'FUNCTION', 'TOPIC', 'SOURCE', 'STATE', 'LAST RESULT'] as const

/** The same fields in the same order for tables and for text. */
export function mappingRow(mapping: Mapping, state: string = mapping.State ?? ''): string[] {
  return [
    mapping.UUID ?? '',
    functionOf(mapping),
    (mapping.Topics ?? []).join(','),
    sourceOf(mapping),
    state,
    mapping.LastProcessingResult ?? ''
  ]
}

/** The name, and the qualifier where there is one. */
const functionOf = ({ FunctionArn = '' }: Mapping): string => FunctionArn.split(':').slice(6).join(':') || FunctionArn

/** Bootstrap servers, or of an MSK ARN the cluster's name. */
function sourceOf({ EventSourceArn, SelfManagedEventSource }: Mapping): string {
  if (EventSourceArn !== undefined) return /:cluster\/([^/]+)\//.exec(EventSourceArn)?.[1] ?? EventSourceArn
  return Object.values(SelfManagedEventSource?.Endpoints ?? {})
    .flat()
    .join(',')
}

/** JSON as AWS answers a list, all pages in one. */
export function listText(mappings: readonly Mapping[], format: Format, look: TableLook): string {
  if (format === 'json') return json({ EventSourceMappings: mappings })
  const rows = mappings.map(mapping => mappingRow(mapping))
  return format === 'text' ? tabbed(rows) : table(mappingHead, rows, look)
}

export function mappingText(mapping: Mapping, format: Format, look: TableLook): string {
  if (format === 'json') return json(mapping)
  if (format === 'text') return tabbed([mappingRow(mapping)])
  return sheet(
    Object.entries(mapping).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, valueText(value)] as const]
    ),
    look
  )
}

/** In tables and text a line for each field that changed. Times are ISO 8601, as everywhere in what we print. */
export function historyText(entries: readonly MappingHistoryEntry[], format: Format, look: TableLook): string {
  const dated = entries.map(entry => ({ ...entry, At: new Date(entry.At * 1000).toISOString() }))
  if (format === 'json') return json({ History: dated })
  const rows = dated.flatMap(({ At, Who, Operation, Changes }) =>
    (Changes.length === 0 ? [undefined] : Changes).map(change => [
      At,
      Who,
      Operation,
      change?.Field ?? '',
      valueText(change?.From),
      valueText(change?.To)
    ])
  )
  return format === 'text' ? tabbed(rows) : table(['AT', 'WHO', 'OPERATION', 'FIELD', 'FROM', 'TO'], rows, look)
}

/** Texts as they are, the rest as JSON; nothing where there is nothing. */
function valueText(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}
