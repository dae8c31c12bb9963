import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Writable } from 'node:stream'
import type { Log } from '../../ports/log.ts'

/**
 * Ends process groups when this process dies without a word (kill -9, out of memory). A shell of its own group reads from a
 * pipe which groups live; when the pipe closes it kills those that are left, busy or not, with all they started.
 * What left its group (a daemon) is found by the mark in its environment, where the machine shows environments (Linux), as soon
 * as the group has ended. Windows has neither groups nor this shell: there a runtime has to notice by itself.
 */
export class OrphanGuard {
  readonly #log: Log
  /** With the mark of each. */
  readonly #groups = new Map<number, string>()
  #shell: ChildProcessByStdio<Writable, null, null> | undefined

  constructor(log: Log) {
    this.#log = log
  }

  /** `mark`: `NAME=value` in the environment of the group's processes and of nobody else's; letters, digits, `_`, `-` and `=`. */
  watch(group: number, mark: string): void {
    this.#groups.set(group, mark)
    if (this.#shell === undefined) this.#open()
    else this.#tell(`+ ${group}:${mark}`)
  }

  /** The group has ended. */
  release(group: number): void {
    const mark = this.#groups.get(group)
    if (this.#groups.delete(group)) this.#tell(`- ${group}:${mark}`)
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
    for (const [group, mark] of this.#groups) this.#tell(`+ ${group}:${mark}`)
  }

  #tell(line: string): void {
    this.#shell?.stdin.write(`${line}\n`)
  }
}

/** Strays are looked for again while there are any: one may start another while it is being found. */
const script = `
trap '' INT TERM HUP
strays() {
  for again in 1 2 3 4 5; do
    found=$(grep -lszxF -- "$1" /proc/[0-9]*/environ)
    case $found in '') return ;; esac
    for file in $found; do
      pid=\${file#/proc/}
      kill -s KILL "\${pid%/environ}"
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
