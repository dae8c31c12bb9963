import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FromReader, ReaderData } from './reader-thread.ts'

const entry = new URL('./reader-thread.ts', import.meta.url)

/** A poller in a thread of its own, which can be ended where it stands as `kill -9` would end its process. */
export class Reader {
  /** Its mapping, and the beginning of its member id. */
  readonly id: string
  readonly #worker: Worker
  #stopped: () => void = () => undefined

  constructor(data: ReaderData, log: (line: string) => void) {
    this.id = data.assignment.mapping
    this.#worker = new Worker(entry, { workerData: data, name: this.id })
    this.#worker.on('message', (message: FromReader) => {
      if (message.type === 'log') log(`${this.id}: ${message.line}`)
      else this.#stopped()
    })
    this.#worker.on('error', error => log(`${this.id}: died of ${String(error)}`))
  }

  /** Sockets close, nothing is committed, nobody is told. */
  async kill(): Promise<void> {
    await this.#worker.terminate()
  }

  /** Finishes what is in flight, commits, leaves the group. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stopped = resolve
    this.#worker.postMessage('stop')
    await Promise.race([promise, once(this.#worker, 'exit')])
    await this.#worker.terminate()
  }
}
