import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import {
  FunctionHost,
  type FunctionEvent,
  type FunctionHostOptions,
  type LocalFunction
} from '../../../src/adapters/invoker/function-host.ts'
import { openHttpInvoker } from '../../../src/adapters/invoker/http.ts'
import type { InvokeReply } from '../../../src/core/retry/reply.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'
import type { Invoker, InvokeRequest } from '../../../src/ports/invoker.ts'
import type { Log, LogFields } from '../../../src/ports/log.ts'
import { aRequest } from '../../contracts/invoker.ts'

export const fixtures = fileURLToPath(new URL('../../fixtures/functions', import.meta.url))

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

/** A zombie has ended: only its name is left. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Keeps lines, and waits for one. */
export class LogBook extends EventEmitter<{ line: [LogLine] }> implements Log {
  readonly lines: LogLine[] = []
  debug = this.#at('debug')
  info = this.#at('info')
  warn = this.#at('warn')
  error = this.#at('error')

  child(): Log {
    return this
  }

  /** The first line that fits, be it there already or to come. */
  async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    const found = this.lines.find(fits)
    if (found !== undefined) return found
    return new Promise(resolve => {
      const look = (line: LogLine) => {
        if (!fits(line)) return
        this.off('line', look)
        resolve(line)
      }
      this.on('line', look)
    })
  }

  #at(level: string) {
    return (fields: LogFields, message: string) => {
      const line = { level, fields, message }
      this.lines.push(line)
      this.emit('line', line)
    }
  }
}

export type SomeFunction = Partial<LocalFunction> & Pick<LocalFunction, 'name'>

/** What happened, and what is to happen. */
export class EventBook extends EventEmitter<{ event: [FunctionEvent] }> {
  readonly events: FunctionEvent[] = []
  readonly take = (event: FunctionEvent): void => {
    this.events.push(event)
    this.emit('event', event)
  }

  of<K extends FunctionEvent['kind']>(kind: K): Extract<FunctionEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<FunctionEvent, { kind: K }> => event.kind === kind)
  }

  /** The `nth` event of the kind, be it there already or to come. */
  async nth<K extends FunctionEvent['kind']>(kind: K, nth = 1): Promise<Extract<FunctionEvent, { kind: K }>> {
    for (;;) {
      const found = this.of(kind)[nth - 1]
      if (found !== undefined) return found
      await once(this, 'event')
    }
  }
}

/** A running host with functions of the fixtures' folder. */
export async function hosting(functions: readonly SomeFunction[], options: Partial<FunctionHostOptions> = {}) {
  const log = new LogBook()
  const events = new EventBook()
  const host = new FunctionHost({
    functions: functions.map(fn => ({ baseDir: fixtures, ...fn })),
    region: 'eu-west-1',
    accountId: '123456789012',
    log,
    clock: systemClock,
    onEvent: events.take,
    ...options
  })
  await host.start()
  const opened: Invoker[] = []
  const open = (name: string, more: Partial<HttpTarget> = {}) => {
    const invoker = openHttpInvoker({ ...host.target(name), ...more }, { clock: systemClock })
    opened.push(invoker)
    return invoker
  }
  const invokers = new Map<string, Invoker>()
  return {
    host,
    log,
    events,
    open,
    call(name: string, event: unknown = {}, more: Partial<InvokeRequest> = {}): Promise<InvokeReply> {
      const invoker = invokers.get(name) ?? open(name)
      invokers.set(name, invoker)
      return invoker.invoke(Buffer.from(JSON.stringify(event)), aRequest(more))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(invoker => invoker.close()))
      await host.stop({ graceMs: 0 })
    }
  }
}
