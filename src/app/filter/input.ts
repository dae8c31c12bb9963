import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { Io } from '../io.ts'

type World = Pick<Io, 'cwd' | 'stdin'>

/** What a flag gives: its text, what is in the file that `@FILE` names, or with `-` all of stdin. Throws `MILL_FILTER_INPUT`. */
export async function readGiven(given: string, flag: string, { cwd, stdin }: World): Promise<string> {
  if (given === '-') return decoded(Buffer.concat((await stdin.toArray()) as Buffer[]), 'stdin')
  if (!given.startsWith('@')) return given
  const file = given.slice(1)
  try {
    return decoded(await readFile(resolve(cwd, file)), `the file ${file}`)
  } catch (error) {
    throw unreadable(error, `The file ${file} of ${flag}`)
  }
}

function decoded(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new MillraceError('MILL_FILTER_INPUT', [`What ${what} holds is not UTF-8.`])
  }
}

export interface Line {
  /** From 1. */
  readonly number: number
  readonly bytes: Buffer
}

const newline = 10

/** Lines of a file, or with `-` of stdin, as they come. Only a line feed ends one: JSON may hold any other separator. */
export async function* readLines(file: string, { cwd, stdin }: World): AsyncGenerator<Line> {
  const chunks: AsyncIterable<Buffer> = file === '-' ? stdin : createReadStream(resolve(cwd, file))
  let number = 1
  let rest: Buffer[] = []
  try {
    for await (const chunk of chunks) {
      let from = 0
      for (let to = chunk.indexOf(newline); to >= 0; to = chunk.indexOf(newline, from)) {
        yield { number: number++, bytes: Buffer.concat([...rest, chunk.subarray(from, to)]) }
        rest = []
        from = to + 1
      }
      if (from < chunk.length) rest.push(chunk.subarray(from))
    }
  } catch (error) {
    throw unreadable(error, `The file ${file} of --cases`)
  }
  if (rest.length > 0) yield { number, bytes: Buffer.concat(rest) }
}

function unreadable(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof MillraceError) return error
  return new MillraceError('MILL_FILTER_INPUT', [`${what} cannot be read: ${error.message}`], { cause: error })
}
