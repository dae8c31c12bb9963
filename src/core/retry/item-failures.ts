import type { FailedItems } from './plan.ts'

/** What was sent, so that an answer can be held against it. */
export interface SentRecords {
  readonly count: number
  /** Index in the order of the payload of the record at `offset` of `<topic>-<partition>`; -1: it was not sent. */
  indexOf(partitionKey: string, offset: number): number
}

export interface ItemFailureRules {
  /** Positions in the payload name records too, as some libraries for Kafka send them (reference 15, 9). */
  readonly indexes: boolean
}

export type ItemFailures =
  | { readonly kind: 'none' }
  | { readonly kind: 'some'; readonly failed: FailedItems }
  /** The answer does not say what failed: everything has (reference 6.2). */
  | { readonly kind: 'invalid'; readonly reason: string }

const none: ItemFailures = { kind: 'none' }
/** The usual answers of a function that has nothing to report, without white space. */
const usual = new Set(['', 'null', '{}', '[]', '""', '{"batchItemFailures":[]}', '{"batchItemFailures":null}'])
const longestUsual = 64

/** Reads the answer of a function that reports item failures. AWS: the decision table of reference 6.2. */
export function readItemFailures(payload: Uint8Array, sent: SentRecords, rules: ItemFailureRules): ItemFailures {
  if (payload.length <= longestUsual && usual.has(textOf(payload).replaceAll(/\s/g, ''))) return none
  let answer: unknown
  try {
    answer = JSON.parse(textOf(payload))
  } catch {
    return invalid('it is not JSON')
  }
  if (answer === null || answer === '') return none
  if (typeof answer !== 'object') return invalid(`it is a ${typeof answer}, not an object`)
  if (Array.isArray(answer)) return answer.length === 0 ? none : invalid('it is a list, not an object')
  const items = (answer as { batchItemFailures?: unknown }).batchItemFailures
  if (items === undefined || items === null) return none
  if (!Array.isArray(items)) return invalid('batchItemFailures is not a list')
  const failed = new Set<number>()
  for (const [at, item] of items.entries()) {
    const index = indexOf(item, sent, rules)
    if (typeof index === 'string') return invalid(`batchItemFailures[${at}] ${index}`)
    failed.add(index)
  }
  return failed.size === 0 ? none : { kind: 'some', failed: [...failed].sort((a, b) => a - b) }
}

/** Which record an item names, or why it names none. */
function indexOf(item: unknown, sent: SentRecords, { indexes }: ItemFailureRules): number | string {
  const identifier = (item as { itemIdentifier?: unknown } | null | undefined)?.itemIdentifier
  if (identifier === undefined || identifier === null || identifier === '') return 'has no itemIdentifier'
  if (typeof identifier !== 'object') {
    const index = indexes ? naturalNumber(identifier) : undefined
    if (index === undefined) return 'needs an itemIdentifier of {"partition", "offset"}'
    return index < sent.count ? index : `names record ${index} of ${sent.count}`
  }
  const { partition, offset: given } = identifier as { partition?: unknown; offset?: unknown }
  const offset = naturalNumber(given)
  if (typeof partition !== 'string' || offset === undefined)
    return 'needs an itemIdentifier with partition (topic-number) and offset (a number)'
  const index = sent.indexOf(partition, offset)
  return index >= 0 ? index : `names offset ${offset} of ${partition}, which was not sent`
}

/** As a number or as text: JSON libraries that keep 64-bit numbers exact write them as text. */
function naturalNumber(value: unknown): number | undefined {
  if (typeof value === 'string') return /^\d{1,19}$/.test(value) ? Number(value) : undefined
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}

const invalid = (reason: string): ItemFailures => ({ kind: 'invalid', reason })

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
