import { resolve } from 'node:path'
import { stat } from 'node:fs/promises'
import { systemClock } from '../adapters/host/system-clock.ts'
import { openProducer } from '../adapters/kafka/producer.ts'
import { silentLog } from '../adapters/log/silent.ts'
import { MillraceError } from '../core/errors.ts'
import type { SendFlags } from './cli/send.ts'
import { findBroker } from './dev/find-broker.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { byteLines } from './records/byte-lines.ts'
import { recordsOf } from './records/record-file.ts'
import type { WrittenRecord } from './records/record-line.ts'
import { RecordSender } from './records/record-sender.ts'
import { SendAccount } from './records/send-account.ts'
import { interruptedBy } from './signals.ts'

type Groups = AsyncIterable<readonly WrittenRecord[]>

/** Sends what the flags, a file or stdin hold, and resolves with the exit code. */
export async function runSend(flags: SendFlags, io: Io): Promise<number> {
  const { topic, file, rate, output } = flags
  if (flags.value === undefined && file === undefined && (io.stdin as { isTTY?: boolean }).isTTY === true)
    throw new MillraceError('MILL_RECORD_INVALID', [
      'There',
      'is nothing to send: give a VALUE or --file FILE, or pipe lines into it'
    ])
  const bootstrapServers = await findBroker(flags, io)
  const total = await counted(flags, io)
  const account = new SendAccount({ topic, output, total, io, clock: systemClock })
  await using producer = disposable(
    openProducer({ cluster: { bootstrapServers }, clientId: 'millrace-send' }, { clock: systemClock, log: silentLog })
  )
  const sender = new RecordSender({
    producer,
    clock: systemClock,
    ...(rate === undefined ? {} : { perSecond: rate }),
    signal: io.stop,
    onSent: records => account.add(records)
  })
  let isWhole = false
  try {
    await sender.send(() => topic, interruptible(checked(withDefaults(recordsFrom(flags, io), flags), topic), io.stop))
    isWhole = true
  } finally {
    account.close(isWhole)
  }
  return io.stop.aborted ? interruptedBy(io.stop) : exitCodes.ok
}

function disposable<T extends { close(): Promise<void> }>(closes: T): T & AsyncDisposable {
  return Object.assign(closes, { [Symbol.asyncDispose]: () => closes.close() })
}

/** A file is read twice: nothing of it is sent when a line of it is wrong. */
async function counted({ file, topic }: SendFlags, io: Io): Promise<number | undefined> {
  if (file === undefined || file === '-' || !(await isRegular(resolve(io.cwd, file)))) return undefined
  let total = 0
  for await (const records of checked(recordsOf(file, '--file', io), topic)) total += records.length
  return total
}

async function isRegular(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return true // reading it says what is wrong
  }
}

async function* recordsFrom({ value, file }: SendFlags, io: Io): Groups {
  if (value !== undefined) yield [{ message: { value: Buffer.from(value) } }]
  else if (file !== undefined) yield* recordsOf(file, '--file', io)
  else for await (const lines of byteLines(io.stdin)) yield lines.map(({ bytes }) => ({ message: { value: bytes } }))
}

async function* withDefaults(groups: Groups, { key, headers, partition }: SendFlags): Groups {
  const defaults = {
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    ...(headers.length === 0 ? {} : { headers: headers.map(([name, value]) => [name, Buffer.from(value)] as const) }),
    ...(partition === undefined ? {} : { partition })
  }
  for await (const records of groups)
    yield records.map(record => Object.assign(record, { message: Object.assign({ ...defaults }, record.message) }))
}

/** Records that were written for another topic are not sent by mistake. */
async function* checked(groups: Groups, topic: string): Groups {
  for await (const records of groups) {
    const other = records.find(record => record.topic !== undefined && record.topic !== topic)?.topic
    if (other !== undefined)
      throw new MillraceError('MILL_RECORD_INVALID', [
        'A record',
        `has the topic ${other}, but ${topic} is where they go: leave its topic out, or send them to ${other}`
      ])
    yield records
  }
}

/** Ends when the user does, also while stdin says nothing. */
async function* interruptible(groups: Groups, stop: AbortSignal): Groups {
  const iterator = groups[Symbol.asyncIterator]()
  const stopped = new Promise<undefined>(resolve =>
    stop.addEventListener('abort', () => resolve(undefined), { once: true })
  )
  while (!stop.aborted) {
    const next = await Promise.race([iterator.next(), stopped])
    if (next === undefined || next.done === true) return
    yield next.value
  }
}
