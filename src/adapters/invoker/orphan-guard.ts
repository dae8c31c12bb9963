import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Writable } from 'node:stream'
import type { Log } from '../../ports/log.ts'

/**
 * Ends process groups when this process dies without a word (kill -9, out of memory). A shell of its own group reads from a
 * pipe which groups live; when the pipe closes it kills those that are left, busy or not, with all they started.
 * Windows has neither groups nor this shell: there a runtime has to notice by itself.
 */
export class OrphanGuard {
  readonly #log: Log
  readonly #groups = new Set<number>()
  #shell: ChildProcessByStdio<Writable, null, null> | undefined

  constructor(log: Log) {
    this.#log = log
  }

  watch(group: number): void {
    this.#groups.add(group)
    if (this.#shell === undefined) this.#open()
    else this.#tell(`+ ${group}`)
  }

  release(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`- ${group}`)
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
    for (const group of this.#groups) this.#tell(`+ ${group}`)
  }

  #tell(line: string): void {
    this.#shell?.stdin.write(`${line}\n`)
  }
}

const script = `
trap '' INT TERM HUP
groups=' '
while read -r what group; do
  case $what in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
`
