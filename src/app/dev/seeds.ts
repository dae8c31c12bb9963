import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { Io } from '../io.ts'
import { recordsOf } from '../records/record-file.ts'
import type { WrittenRecord } from '../records/record-line.ts'

export interface Seeds {
  readonly file: string
  /** Of a pipe, which cannot be read again; absent: the file still has them. */
  readonly kept?: readonly WrittenRecord[]
  /** In the order in which they first come. */
  readonly topics: readonly string[]
}

// Kafka's own rule for names of topics.
const topicForm = /^(?!\.{1,2}$)[\w.-]{1,249}$/

/** Checks a whole file before anything starts. Rejects with `MILL_RECORD_INVALID` or `MILL_FILE_UNREADABLE`. */
export async function readSeeds(file: string, io: Pick<Io, 'cwd' | 'stdin'>): Promise<Seeds> {
  if (file === '-')
    throw new MillraceError('MILL_FILE_UNREADABLE', [
      '-',
      '--seed',
      'it must be a file, as it is checked before it is sent'
    ])
  const topics = new Set<string>()
  const kept: WrittenRecord[] = []
  const isPipe = statSync(resolve(io.cwd, file), { throwIfNoEntry: false })?.isFile() === false
  for await (const records of recordsOf(file, '--seed', io))
    for (const record of records) {
      topics.add(topicOfSeed(record, file))
      if (isPipe) kept.push(record)
    }
  return { file, topics: [...topics], ...(isPipe ? { kept } : {}) }
}

export function topicOfSeed({ topic }: WrittenRecord, file: string): string {
  if (topic !== undefined && topicForm.test(topic)) return topic
  throw new MillraceError('MILL_RECORD_INVALID', [
    `A record of ${file}`,
    topic === undefined
      ? 'has no topic: every line of --seed names one, such as "topic":"orders"'
      : `has a topic that no topic can be called: ${JSON.stringify(topic)}`
  ])
}
