import { fstatSync, readdirSync, statSync, watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

/** An editor saves in several steps, a build writes many files: so long nothing must happen before it counts as one change. */
const quietMs = 100
/** Installed packages and what is written beside sources by running them. */
const ignored = /^(?:\..*|node_modules|__pycache__|.*\.pyc|.*\.log|.*~|4913)$/
const maxFolders = 2_000
/** A folder that is gone (a build makes it anew) is looked for so often. */
const absenceMs = 500

export interface FolderWatchOptions {
  /** Absolute. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
  /** `file`: the last that changed, relative to the folder. */
  readonly changed: (file: string) => void
}

/**
 * Tells when a file in a folder, or below it, has changed. Each folder is watched by itself: a file that is replaced, as most
 * editors save, keeps being seen, and packages cost nothing.
 */
export class FolderWatch {
  readonly #options: FolderWatchOptions
  readonly #watchers = new Map<string, FSWatcher>()
  #stopTimer: (() => void) | undefined
  #isFull = false

  constructor(options: FolderWatchOptions) {
    this.#options = options
    this.#renew()
  }

  /** Safe twice. */
  close(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#closeAll()
  }

  #closeAll(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** Watches a folder and those below it that are not watched yet. */
  #look(folder: string): void {
    if (!this.#watchers.has(folder) && !this.#open(folder)) return
    let entries
    try {
      entries = readdirSync(folder, { withFileTypes: true })
    } catch {
      return // gone again
    }
    for (const entry of entries) {
      if (entry.isDirectory() && !ignored.test(entry.name)) this.#look(path.join(folder, entry.name))
    }
  }

  #open(folder: string): boolean {
    const { log } = this.#options
    if (this.#watchers.size >= maxFolders) {
      if (!this.#isFull) log.warn({ folder: this.#options.folder, maxFolders }, 'too many folders to watch for changes')
      this.#isFull = true
      return false
    }
    try {
      const watcher = watch(folder, (_what, name) => this.#seen(folder, name ?? ''))
      watcher.on('error', () => this.#drop(folder))
      this.#watchers.set(folder, watcher)
      return true
    } catch (error) {
      // The function's own start says what is wrong with a folder that is not there.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        log.warn({ folder, error: String(error) }, 'cannot watch a folder for changes')
      }
      return false
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }

  #seen(folder: string, name: string): void {
    if (ignored.test(name) || isOurOutput(path.join(folder, name))) return
    const { clock, changed } = this.#options
    this.#stopTimer?.()
    this.#stopTimer = clock.after(quietMs, () => {
      this.#renew()
      if (this.#watchers.size > 0) changed(path.relative(this.#options.folder, path.join(folder, name)))
    })
  }

  /** A folder that was replaced is another one under the same name: its watcher sees nothing any more. */
  #renew(): void {
    this.#stopTimer = undefined
    this.#closeAll()
    this.#look(this.#options.folder)
    if (this.#watchers.size === 0) this.#await()
  }

  #await(): void {
    const { folder, clock, changed } = this.#options
    this.#stopTimer = clock.after(absenceMs, () => {
      this.#renew()
      if (this.#watchers.size > 0) changed(path.basename(folder))
    })
  }
}

/** Our own log may lie in the folder: to tell of it as a change would be to write to it again, for ever. */
function isOurOutput(file: string): boolean {
  try {
    const { dev, ino } = statSync(file)
    return [1, 2].some(fd => {
      const output = fstatSync(fd)
      return output.dev === dev && output.ino === ino
    })
  } catch {
    return false // gone, or we have no such output
  }
}
