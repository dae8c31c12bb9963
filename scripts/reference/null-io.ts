import { PassThrough } from 'node:stream'
import type { Io } from '../../src/app/io.ts'

/** The world of a command that is only asked for its help. */
export const nullIo: Io = {
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  env: {},
  cwd: '/',
  stop: new AbortController().signal,
  columns: undefined,
  colour: false
}
