import type { Log } from '../../ports/log.ts'

/** Tells watchers in this process which mapping has changed. */
export class Announcer {
  readonly #listeners = new Set<(uuid: string) => void>()
  readonly #log: Log | undefined

  constructor(log?: Log) {
    this.#log = log
  }

  watch(listener: (uuid: string) => void): () => void {
    // Wrapped, so that the same function may watch twice and each watch ends by itself.
    const entry = (uuid: string): void => listener(uuid)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  /** After the writer's own continuation has been queued: a watcher never runs inside a write, and cannot break one. */
  announce(uuid: string): void {
    queueMicrotask(() => {
      for (const listener of this.#listeners) {
        try {
          listener(uuid)
        } catch (error) {
          this.#log?.error({ mapping: uuid, err: error }, 'a watcher of the store failed')
        }
      }
    })
  }

  close(): void {
    this.#listeners.clear()
  }
}
