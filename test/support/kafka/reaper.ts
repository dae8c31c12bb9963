import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

// Waits for the end of its input, then kills every process whose id lies in FOLDER/*.pid and removes the folder. The second
// rm is for what a dying broker still wrote.
const script = `
read -r _
for file in "$1"/*.pid; do
  [ -f "$file" ] && kill -9 "$(cat "$file")"
done
rm -rf -- "$1" && exit
sleep 1
rm -rf -- "$1"
`

/**
 * Cleans up after a test process, however it ends: its end closes the reaper's input, even after SIGKILL, where no exit
 * handler runs. The reaper is a process group of its own, so that an interrupt on the terminal does not reach it.
 */
export class Reaper {
  readonly #process: ChildProcess

  /** @param folder Holds `NAME.pid` for every process to kill. It is removed with all that lies in it. */
  constructor(folder: string) {
    this.#process = spawn('sh', ['-c', script, 'reaper', folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true
    })
    this.#process.unref()
    // A pipe's handle keeps the test process alive, which the type of stdin does not tell.
    if (this.#process.stdin !== null && 'unref' in this.#process.stdin) (this.#process.stdin.unref as () => void)()
  }

  /** Kills and removes now. */
  async reap(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#process.exitCode !== null) return
    this.#process.ref()
    this.#process.once('exit', () => resolve())
    this.#process.stdin?.end()
    await promise
  }
}
