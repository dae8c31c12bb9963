import type { FunctionCall, SeenRecord } from './http-function.ts'

/** One a batch (reference 8.2), with the event besides (8.3), or one a record (8.4). */
export type DocumentForm = 'batch' | 'batch-and-event' | 'record'

/** What a destination is told, as far as tests look into it without knowing all of it. */
export interface FailureDocument {
  readonly requestContext: Readonly<Record<string, unknown>> & { readonly requestId: string }
  readonly responseContext?: object | null
  readonly version: string
  /** ISO 8601. */
  readonly timestamp: string
  readonly KafkaBatchInfo: Readonly<Record<string, unknown>> & {
    readonly payloadSize: number
    readonly recordInfo?: RecordInfo
  }
  readonly payload?: string | object
}

interface RecordInfo {
  readonly offset: string
  readonly timestamp: string
}

type EventRecord = SeenRecord & { readonly timestamp: number }

/** Two of one name tell the same: deliveries are at least once. */
export const documentName = ({ requestContext, KafkaBatchInfo: { recordInfo } }: FailureDocument): string =>
  recordInfo === undefined ? requestContext.requestId : `${requestContext.requestId}@${recordInfo.offset}`

/**
 * What has to be told of a first call to the function `orders` of a self-managed source that reported these records as failed,
 * when there is no retry. The time is empty, and the payload an object also where it is sent as text.
 */
export function expectedDocuments(
  form: DocumentForm,
  call: FunctionCall,
  isFailed: (record: SeenRecord) => boolean
): FailureDocument[] {
  const lists = Object.entries(call.event.records as Readonly<Record<string, readonly EventRecord[]>>)
    .map(([name, records]) => [name, records.filter(isFailed)] as const)
    .filter(([, records]) => records.length > 0)
  if (lists.length === 0) return []
  if (form === 'record') {
    return lists.flatMap(([name, records]) =>
      records.map(record => {
        const recordInfo = { offset: String(record.offset), timestamp: isoTime(record) }
        return document(call, { [name]: [record] }, { batchSize: 1, recordInfo }, true)
      })
    )
  }
  const batchSize = lists.reduce((sum, [, records]) => sum + records.length, 0)
  const recordsInfo = Object.fromEntries(lists.map(([name, records]) => [name, rangeOf(records)]))
  return [document(call, Object.fromEntries(lists), { batchSize, recordsInfo }, form === 'batch-and-event')]
}

function document(
  { headers, event }: FunctionCall,
  records: object,
  info: { readonly batchSize: number; readonly recordInfo?: RecordInfo; readonly recordsInfo?: object },
  withEvent: boolean
): FailureDocument {
  const payload = { ...event, records }
  const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
  const called =
    info.recordInfo === undefined
      ? { functionArn, condition: 'RetryAttemptsExhausted' }
      : { functionArn: `${functionArn}:$LATEST`, condition: 'RetriesExhausted' }
  return {
    requestContext: {
      requestId: headers['x-millrace-request-id'] as string,
      ...called,
      approximateInvokeCount: 1
    },
    responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: null },
    version: '1.0',
    timestamp: '',
    KafkaBatchInfo: {
      ...info,
      bootstrapServers: event.bootstrapServers,
      payloadSize: Buffer.byteLength(JSON.stringify(payload))
    },
    ...(withEvent ? { payload } : {})
  }
}

function rangeOf(records: readonly EventRecord[]): object {
  const [first, last] = [records[0]!, records.at(-1)!]
  return {
    firstRecordOffset: String(first.offset),
    lastRecordOffset: String(last.offset),
    firstRecordTimestamp: isoTime(first),
    lastRecordTimestamp: isoTime(last)
  }
}

const isoTime = ({ timestamp }: EventRecord): string => new Date(timestamp).toISOString()
