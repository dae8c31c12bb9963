import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import {
  documentName,
  expectedDocuments,
  type DocumentForm,
  type FailureDocument
} from '../support/failure-documents.ts'
import { returned, type SeenRecord } from '../support/http-function.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import type { MillraceOptions } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import type { WrittenTopic } from '../support/written-topic.ts'
import type { MillraceWorld } from './millrace-world.ts'

/** A destination that is to break and heal under load. */
export interface OutageRow {
  /** Of the topic too. */
  readonly name: string
  /** As `DestinationConfig` names it. */
  readonly destination: string
  readonly form: DocumentForm
  /** What it has said when it is broken. */
  readonly says: RegExp
  /** Every document that has arrived so far, twice what came twice. */
  received(): Promise<readonly FailureDocument[]>
}

export interface Outage {
  begin(): Promise<void>
  end(): Promise<void>
}

/** How long destinations are out: MILLRACE_OUTAGE_SECONDS, else a few seconds. */
export const outageSeconds = Number(process.env['MILLRACE_OUTAGE_SECONDS'] ?? 4)
/** For the test's own limit: start, outage, and what was held back. */
export const outageTestMs = 150_000 + outageSeconds * 1_500

const partitions = 4
const badEvery = 40
const firstBad = 3
/** Of these the function refuses one record in forty; of the others none. */
const failing: ReadonlySet<number> = new Set([0, 1])
const isBad = ({ partition, offset }: SeenRecord): boolean => failing.has(partition) && offset % badEvery === firstBad
const tick = { records: 10, everyMs: 250 }
/** Longest pause before a destination is asked again, and the time that the requests after it take. */
const recoveryMs = 60_000 + 500 * outageSeconds
/** Longest that a destination may take to say no. */
const answerMs = 40_000

interface Running extends OutageRow {
  readonly topic: WrittenTopic
  readonly mapping: string
}

/**
 * One server with a mapping to each destination. All destinations go out at once under load, and come back. Meanwhile nothing
 * is committed past the first record that was not delivered, and partitions without such records go on; afterwards every
 * record that the function refused lies in its destination, told of as reference 8 says, and every other was processed once.
 */
export async function outlastOutage(
  t: TestContext,
  world: MillraceWorld,
  rows: readonly OutageRow[],
  outage: Outage,
  server: MillraceOptions = {}
): Promise<void> {
  world.function.script = ({ records }) => {
    const batchItemFailures = records.filter(isBad).map(({ topic, partition, offset }) => ({
      itemIdentifier: { partition: `${topic}-${partition}`, offset }
    }))
    if (batchItemFailures.length === 0) return returned
    return { kind: 'status', status: 200, body: JSON.stringify({ batchItemFailures }) }
  }
  const millrace = await world.serve(server)
  const running: Running[] = []
  for (const row of rows) {
    const topic = await world.topic(row.name, partitions)
    const mapping = await world.map(millrace, topic.name, {
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0,
      MaximumRetryAttempts: 0,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      DestinationConfig: { OnFailure: { Destination: row.destination } }
    })
    running.push({ ...row, topic, mapping })
  }
  const topics = running.map(({ topic }) => topic)
  const latency = new LatencyOfHealthy(world)
  for (const topic of topics) await topic.write(20)
  await everyCommit(world, running, ({ topic }) => topic.ends)

  await outage.begin()
  const began = performance.now()
  while (performance.now() - began < outageSeconds * 1_000) {
    latency.written(topics)
    await Promise.all(topics.map(topic => topic.write(tick.records)))
    await pause(tick.everyMs)
  }
  const api = await world.api(millrace)
  for (const { mapping, name, says } of running) {
    const isHeld = ({ LastProcessingResult = '' }) => says.test(LastProcessingResult)
    await mappingWhen(api, mapping, `held by ${name}`, isHeld, answerMs)
  }
  // The first refused record of the outage holds its partition; partitions without any have been read to their end.
  const held = (topic: WrittenTopic) =>
    new Map([...topic.ends].map(([at, end]) => [at, failing.has(at) ? firstBad + badEvery : end]))
  await everyCommit(world, running, ({ topic }) => held(topic))
  const outMs = performance.now() - began
  assert.ok(latency.slowestMs < 5_000, `a record of a healthy partition waited ${latency.slowestMs} ms`)
  const arrivedBefore = await Promise.all(running.map(row => row.received()))
  for (const documents of arrivedBefore)
    assert.equal(documents.length, failing.size, 'documents from before the outage')

  await outage.end()
  const healed = performance.now()
  await everyCommit(world, running, ({ topic }) => topic.ends, recoveryMs)
  const recoveredMs = performance.now() - healed
  for (const row of running) {
    const { documents, twice } = await assertAllTold(world, row)
    t.diagnostic(
      `${row.name}: out for ${seconds(outMs)}, ${row.topic.total} records, ${documents} documents, ${twice} twice; ` +
        `healthy partitions waited ${Math.round(latency.slowestMs)} ms at most; all committed ${seconds(recoveredMs)} after`
    )
    await mappingWhen(api, row.mapping, 'OK', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
  }
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

function everyCommit(
  world: MillraceWorld,
  running: readonly Running[],
  wanted: (row: Running) => ReadonlyMap<number, number>,
  timeoutMs = 20_000
): Promise<unknown> {
  let seen = ''
  return eventually(
    async () => {
      const all = await Promise.all(running.map(({ mapping, topic }) => world.kafka.committed(mapping, topic.name)))
      const text = (commits: readonly ReadonlyMap<number, number>[]) =>
        JSON.stringify(commits.map(map => [...map].toSorted(([a], [b]) => a - b)))
      seen = text(all)
      return seen === text(running.map(wanted))
    },
    { describe: () => `commits are as they should be; they are ${seen}`, timeoutMs, intervalMs: 100 }
  )
}

/** Every record was called once and in order, and what was refused of each call is told of as it should be. */
async function assertAllTold(world: MillraceWorld, row: Running): Promise<{ documents: number; twice: number }> {
  const { topic } = row
  const calls = world.function.calls.filter(({ records }) => records[0]?.topic === topic.name)
  for (const [partition, end] of topic.ends) {
    const offsets = calls.flatMap(({ records }) =>
      records.filter(record => record.partition === partition).map(({ offset }) => offset)
    )
    const all = Array.from({ length: end }, (_, offset) => offset)
    assert.deepEqual(offsets, all, `calls of ${topic.name}-${partition}`)
  }
  const arrived = await row.received()
  const byName = new Map(arrived.map(document => [documentName(document), document]))
  const wanted = calls.flatMap(call => expectedDocuments(row.form, call, isBad))
  assert.deepEqual(
    [...byName.keys()].toSorted(),
    wanted.map(documentName).toSorted(),
    `documents of ${row.name}: nothing lost, nothing that was not refused`
  )
  for (const document of wanted) {
    const told = byName.get(documentName(document))!
    assert.match(told.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const payload = typeof told.payload === 'string' ? { payload: JSON.parse(told.payload) as object } : {}
    assert.deepEqual({ ...told, ...payload }, { ...document, timestamp: told.timestamp })
  }
  return { documents: wanted.length, twice: arrived.length - byName.size }
}

/** How long records of partitions whose records are never refused wait for their call. */
class LatencyOfHealthy {
  slowestMs = 0
  readonly #due = new Map<string, number>()

  constructor({ function: double }: MillraceWorld) {
    double.on('began', ({ records }) => {
      for (const { topic, partition, offset } of records) {
        const writtenAt = this.#due.get(`${topic}-${partition}@${offset}`)
        if (writtenAt !== undefined) this.slowestMs = Math.max(this.slowestMs, performance.now() - writtenAt)
      }
    })
  }

  /** About to be written: the first record of each partition. */
  written(topics: readonly WrittenTopic[]): void {
    const now = performance.now()
    for (const { name, ends } of topics)
      for (const [partition, end] of ends)
        if (!failing.has(partition)) this.#due.set(`${name}-${partition}@${end}`, now)
  }
}
