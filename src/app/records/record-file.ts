import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { Io } from '../io.ts'
import { byteLines } from './byte-lines.ts'
import { readRecordLine, type WrittenRecord } from './record-line.ts'

type World = Pick<Io, 'cwd' | 'stdin'>

/**
 * The records of a file of JSON lines, or with `-` of stdin, as they come; lines without anything are passed over. Throws
 * `MILL_RECORD_INVALID` naming the line, `MILL_FILE_UNREADABLE` naming `flag`.
 */
export async function* recordsOf(
  file: string,
  flag: string,
  { cwd, stdin }: World
): AsyncGenerator<readonly WrittenRecord[]> {
  const name = file === '-' ? 'stdin' : file
  const chunks: AsyncIterable<Buffer> = file === '-' ? stdin : createReadStream(resolve(cwd, file))
  try {
    for await (const lines of byteLines(chunks))
      yield lines.flatMap(({ number, bytes }) =>
        bytes.toString('latin1').trim() === '' ? [] : [readRecordLine(bytes, `Line ${number} of ${name}`)]
      )
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error instanceof MillraceError) throw error
    throw new MillraceError('MILL_FILE_UNREADABLE', [file, flag, error.message], { cause: error })
  }
}
