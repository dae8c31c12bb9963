import { randomInt } from 'node:crypto'
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import path from 'node:path'

/**
 * Known by it are a process and all that it starts, however they change their environment, process group and session: children
 * take resource limits over, and this soft limit (on file locks) has not been counted by Linux since 2.4. To get rid of
 * it a program has to set that very limit. A whole number, or '' where there is none.
 */
export type ProcessMark = string

export interface Spawned {
  readonly file: string
  readonly args: readonly string[]
  readonly mark: ProcessMark
}

interface Program {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * What to spawn so that the program has a mark of its own: a shell that sets the limit and becomes the program. A program that
 * cannot be run is left as it is, so that spawning it says why; so is any on a system without these limits or without a shell, or
 * with variables that a shell would lose or set.
 */
export function marked({ file, args, cwd, env }: Program): Spawned {
  const canMark = process.platform === 'linux' && Object.keys(env).every(isKept) && isProgram(shell)
  if (!canMark || !canRun(file, cwd, env['PATH'])) return { file, args, mark: '' }
  const mark = String(randomInt(2 ** 46, 2 ** 47))
  return { file: shell, args: ['-c', script, 'sh', mark, file, ...args], mark }
}

const shell = '/bin/sh'
const shellName = /^[A-Za-z_]\w*$/
const setByShells = new Set(['PWD', 'OLDPWD', 'SHLVL', '_'])
const isKept = (name: string): boolean => shellName.test(name) && !setByShells.has(name)

/** bash has another letter for it than all others. */
const script = `
ulimit -S -w "$1" 2>/dev/null || ulimit -S -x "$1" 2>/dev/null || :
shift
unset PWD OLDPWD SHLVL
exec "$@"
`

/** As far as can be seen from outside: there, executable, and so is the interpreter that its first line names. */
function canRun(file: string, cwd: string, searched: string | undefined): boolean {
  const folders = file.includes('/') ? [cwd] : (searched ?? '').split(path.delimiter).map(at => path.resolve(cwd, at))
  const found = folders.map(folder => path.resolve(folder, file)).find(isProgram)
  if (found === undefined) return false
  const interpreter = interpreterOf(found)
  return interpreter === undefined || isProgram(path.resolve(cwd, interpreter))
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

const longestLine = 256

function interpreterOf(file: string): string | undefined {
  const head = Buffer.alloc(longestLine)
  try {
    const opened = openSync(file, 'r')
    try {
      readSync(opened, head, 0, longestLine, 0)
    } finally {
      closeSync(opened)
    }
  } catch {
    return undefined // may be run though not read
  }
  return /^#![ \t]*([^\s\0]+)/.exec(head.toString('latin1'))?.[1]
}
