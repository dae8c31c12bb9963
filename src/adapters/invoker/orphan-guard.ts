import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Writable } from 'node:stream'
import type { Log } from '../../ports/log.ts'
import type { ProcessMark } from './process-mark.ts'

/** By what processes of a group, and those that left it, are known; nobody else's have it. */
export interface GroupMarks {
  readonly limit: ProcessMark
  /** `NAME=value` in their environment; letters, digits, `_`, `-` and `=`. */
  readonly variable: string
}

/**
 * Ends process groups when this process dies without a word (kill -9, out of memory). A shell of its own group reads from a
 * pipe which groups live; when the pipe closes it kills those that are left, busy or not, with all they started.
 * What left its group (a daemon) is found by its marks, where the machine shows limits and environments (Linux), as soon
 * as the group has ended. Windows has neither groups nor this shell: there a runtime has to notice by itself.
 */
export class OrphanGuard {
  readonly #log: Log
  /** With the marks of each, as the shell reads them. */
  readonly #groups = new Map<number, string>()
  #shell: ChildProcessByStdio<Writable, null, null> | undefined

  constructor(log: Log) {
    this.#log = log
  }

  watch(group: number, { limit, variable }: GroupMarks): void {
    const marks = `${limit}:${variable}`
    this.#groups.set(group, marks)
    if (this.#shell === undefined) this.#open()
    else this.#tell(`+ ${group}:${marks}`)
  }

  /** The group has ended. */
  release(group: number): void {
    const marks = this.#groups.get(group)
    if (this.#groups.delete(group)) this.#tell(`- ${group}:${marks}`)
  }

  /** The groups that are still watched are killed. Safe twice. */
  close(): void {
    const shell = this.#shell
    this.#shell = undefined
    this.#groups.clear()
    shell?.stdin.end()
  }

  #open(): void {
    if (process.platform === 'win32') return
    const unguarded = (error: unknown) =>
      this.#log.warn({ error: String(error) }, 'cannot guard local functions against being orphaned')
    let shell: ChildProcessByStdio<Writable, null, null>
    try {
      const stdio = ['pipe', 'ignore', 'ignore'] as const
      shell = spawn('/bin/sh', ['-c', script], { detached: true, stdio: [...stdio], env: {}, cwd: '/' })
    } catch (error) {
      return unguarded(error)
    }
    this.#shell = shell
    shell.unref()
    shell.stdin.on('error', () => {}) // told by 'exit'
    shell.on('error', unguarded)
    shell.on('exit', () => {
      if (this.#shell !== shell) return
      this.#log.warn({}, 'the guard of local functions was ended by somebody: starting another')
      this.#shell = undefined
      if (this.#groups.size > 0) this.#open()
    })
    for (const [group, marks] of this.#groups) this.#tell(`+ ${group}:${marks}`)
  }

  #tell(line: string): void {
    this.#shell?.stdin.write(`${line}\n`)
  }
}

/** Strays are looked for again while there are any: one may start another while it is being found. */
const script = `
trap '' INT TERM HUP
strays() {
  limit=\${1%%:*}
  variable=\${1#*:}
  for again in 1 2 3 4 5; do
    found=$(grep -lszxF -- "$variable" /proc/[0-9]*/environ)
    case $limit in ?*) found="$found $(grep -lsE "^Max file locks +$limit " /proc/[0-9]*/limits)" ;; esac
    case $found in '' | ' ') return ;; esac
    for file in $found; do
      pid=\${file#/proc/}
      kill -s KILL "\${pid%%/*}"
    done
  done
}
groups=' '
while read -r what group; do
  case $what in
    +) groups="$groups$group " ;;
    -)
      case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac
      strays "\${group#*:}"
      ;;
  esac
done
for group in $groups; do kill -s KILL -- "-\${group%%:*}"; done
for group in $groups; do strays "\${group#*:}"; done
`
