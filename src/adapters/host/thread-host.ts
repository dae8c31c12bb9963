import { Worker } from 'node:worker_threads'
import type { Log } from '../../ports/log.ts'
import type { LoginTurns } from '../../ports/login-turns.ts'
import type { OnPollerEvent } from '../../ports/poller-event.ts'
import type { PollerAssignment, PollerHandle, PollerHost, PollerReport } from '../../ports/poller-host.ts'
import { LoginRelay } from './login-relay.ts'
import { SharedMemoryUse } from './shared-memory-use.ts'
import type { FromThread, ThreadOptions, ToThread } from './thread-messages.ts'

export interface ThreadHostOptions {
  /** The module that a thread runs. */
  readonly entry: URL
  /** Threads at most; they start when first needed. */
  readonly threads: number
  readonly thread: Omit<ThreadOptions, 'events' | 'memory'>
  /** All threads take turns at showing the same credentials. */
  readonly logins: LoginTurns
  /** Hears what befalls records. */
  readonly onEvent?: OnPollerEvent
  /** A poller that has not stopped this long after its grace has ended is taken for dead; 15 s unless given: it commits and leaves its group after the grace. */
  readonly patienceMs?: number
  readonly log: Log
}

interface Opened {
  readonly report: (report: PollerReport) => void
  readonly stopped: () => void
}

/** Runs pollers in worker threads shared by all mappings: a mapping costs no thread of its own. */
export class ThreadHost implements PollerHost {
  readonly #options: ThreadHostOptions
  readonly #threads: (PollerThread | undefined)[]
  readonly #memoryCells: SharedArrayBuffer
  #nextPoller = 1

  constructor(options: ThreadHostOptions) {
    this.#options = options
    this.#threads = Array.from({ length: Math.max(1, options.threads) })
    this.#memoryCells = SharedMemoryUse.cells(this.#threads.length)
  }

  open(assignment: PollerAssignment, report: (report: PollerReport) => void): PollerHandle {
    return this.#leastBusy().open(this.#nextPoller++, assignment, report)
  }

  /** Starts a thread before there is a poller for it. Resolves when it has loaded, or could not. */
  async warm(): Promise<void> {
    await this.#leastBusy().loaded
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.flatMap(thread => thread?.terminate() ?? []))
    this.#threads.fill(undefined)
  }

  /** The thread with the fewest pollers; a place whose thread has died, or never lived, gets a new one. */
  #leastBusy(): PollerThread {
    let best = 0
    this.#threads.forEach((thread, index) => {
      if ((thread?.load ?? 0) < (this.#threads[best]?.load ?? 0)) best = index
    })
    const memory = { cells: this.#memoryCells, thread: best }
    return (this.#threads[best] ??= new PollerThread(this.#options, memory, thread => {
      new SharedMemoryUse(memory.cells, memory.thread).clear()
      if (this.#threads[best] === thread) this.#threads[best] = undefined
    }))
  }
}

class PollerThread {
  readonly #worker: Worker
  readonly #logins: LoginRelay
  readonly #pollers = new Map<number, Opened>()
  readonly #log: Log
  readonly #patienceMs: number
  readonly #onEvent: OnPollerEvent | undefined
  readonly #ready = Promise.withResolvers<void>()
  #dead = false

  constructor(
    { entry, thread, logins, patienceMs = 15_000, log, onEvent }: ThreadHostOptions,
    memory: ThreadOptions['memory'],
    onDeath: (self: PollerThread) => void
  ) {
    this.#log = log
    this.#patienceMs = patienceMs
    this.#onEvent = onEvent
    this.#worker = new Worker(entry, {
      workerData: { ...thread, memory, events: onEvent !== undefined } satisfies ThreadOptions,
      name: 'millrace-poller'
    })
    this.#logins = new LoginRelay(logins, message => this.#send(message))
    this.#worker.on('message', (message: FromThread) => {
      this.#receive(message)
    })
    this.#worker.on('error', error => {
      this.#die(`a poller thread broke: ${error instanceof Error ? error.message : String(error)}`, onDeath)
    })
    this.#worker.on('exit', code => {
      this.#die(`a poller thread ended with code ${code}`, onDeath)
    })
  }

  /** Resolves when it takes pollers, and when it has died before. */
  get loaded(): Promise<void> {
    return this.#ready.promise
  }

  get load(): number {
    return this.#pollers.size
  }

  open(poller: number, assignment: PollerAssignment, report: (report: PollerReport) => void): PollerHandle {
    const { promise: stopped, resolve } = Promise.withResolvers<void>()
    this.#pollers.set(poller, { report, stopped: resolve })
    this.#send({ type: 'open', poller, assignment })
    return {
      stop: graceMs => {
        if (this.#pollers.has(poller)) this.#send({ type: 'stop', poller, graceMs })
        return Promise.race([stopped, this.#impatience(poller, graceMs, stopped)])
      }
    }
  }

  async terminate(): Promise<void> {
    this.#dead = true
    await this.#worker.terminate()
    this.#forgetAll()
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromThread): void {
    if (message.type === 'ready') {
      this.#ready.resolve()
      return
    }
    if (message.type === 'event') {
      this.#onEvent?.(message.event, message.atMs)
      return
    }
    if (message.type === 'login' || message.type === 'login-ended') {
      void this.#logins.receive(message)
      return
    }
    const opened = this.#pollers.get(message.poller)
    if (opened === undefined) return
    if (message.type === 'report') opened.report(message.report)
    else {
      this.#pollers.delete(message.poller)
      opened.stopped()
    }
  }

  #die(message: string, onDeath: (self: PollerThread) => void): void {
    if (this.#dead) return
    this.#dead = true
    onDeath(this)
    this.#log.error({ pollers: this.#pollers.size }, message)
    const reports = [...this.#pollers.values()].map(({ report }) => report)
    this.#forgetAll()
    for (const report of reports) report({ kind: 'failed', message })
  }

  #forgetAll(): void {
    this.#ready.resolve()
    this.#logins.close()
    for (const { stopped } of this.#pollers.values()) stopped()
    this.#pollers.clear()
  }

  async #impatience(poller: number, graceMs: number, stopped: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, graceMs + this.#patienceMs)
    })
    await Promise.race([stopped, late])
    clearTimeout(timer)
    if (this.#pollers.delete(poller)) this.#log.error({ poller }, 'a poller did not stop in time; it is left behind')
  }
}
