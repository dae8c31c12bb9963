import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { MillraceWorld } from '../../e2e/millrace-world.ts'
import { ConsoleConsumer } from '../../support/kafka/console-consumer.ts'
import { groupCommits } from '../../support/kafka/group-commits.ts'
import { allInSync, moveLeaders } from '../../support/kafka/leader-moves.ts'
import type { RealKafka } from '../../support/kafka/real-kafka.ts'
import type { MillraceProcess } from '../../support/millrace-process.ts'
import { eventually } from '../../support/poll.ts'
import { topicValues } from '../../support/topic-values.ts'
import { realKafka } from '../../support/written-topic.ts'
import { check, type Verdict } from './checker.ts'
import type { EventEntry, History } from './history.ts'
import { place } from './history.ts'
import { Load } from './load.ts'
import { Recorder } from './recorder.ts'
import { type ChaosEvent, describeEvent, type Schedule } from './schedule.ts'

/** Longer than the others need to find another coordinator when a broker is killed. */
export const sessionMs = 12_000
/** Machines are slow at times: what is awaited comes, or it never does. */
const patienceMs = 100_000
const offsetsTopic = '__consumer_offsets'
const offsetsPartitions = 4
const foreignProperties = {
  classic: {
    'group.protocol': 'classic',
    'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor'
  },
  consumer: { 'group.protocol': 'consumer' }
} as const

export interface ChaosOutcome {
  readonly verdict: Verdict
  readonly history: History
}

/** Runs a schedule on three brokers until all is well again, and holds what happened against what was promised. */
export async function runChaos(
  t: TestContext,
  kafka: RealKafka,
  topic: string,
  schedule: Schedule
): Promise<ChaosOutcome> {
  const run = await ChaosRun.open(t, kafka, topic, schedule)
  await run.begin()
  for (const step of schedule.steps) await run.step(step)
  return run.finish()
}

interface Node {
  readonly millrace: MillraceProcess
  readonly mapping: string
}

class ChaosRun {
  readonly #kafka: RealKafka
  readonly #schedule: Schedule
  readonly #world: MillraceWorld
  /** Of the group too. */
  readonly #topic: string
  readonly #load: Load
  readonly #recorder: Recorder
  readonly #nodes = new Map<number, Node>()
  readonly #foreign: ConsoleConsumer[] = []
  readonly #events: EventEntry[] = []

  static async open(t: TestContext, kafka: RealKafka, topic: string, schedule: Schedule): Promise<ChaosRun> {
    const run = new ChaosRun(await MillraceWorld.open(t, realKafka(kafka)), kafka, topic, schedule)
    t.after(async () => {
      await run.#load.stop()
      for (const each of run.#foreign) await each[Symbol.asyncDispose]()
    })
    return run
  }

  private constructor(world: MillraceWorld, kafka: RealKafka, topic: string, schedule: Schedule) {
    this.#world = world
    this.#kafka = kafka
    this.#topic = topic
    this.#schedule = schedule
    const { partitions, transactions, seed } = schedule
    this.#load = new Load({ bootstrap: kafka.bootstrap(), topic, partitions, transactions, seed })
    this.#recorder = new Recorder(world.function, seed)
  }

  async begin(): Promise<void> {
    await this.#kafka.createTopic(this.#topic, { partitions: this.#schedule.partitions })
    await this.#load.start()
    for (let node = 1; node <= this.#schedule.nodes; node++) await this.#befall({ kind: 'join', node })
    await this.#goesOn()
  }

  async step(step: readonly ChaosEvent[]): Promise<void> {
    await Promise.all(step.map(event => this.#befall(event)))
    await this.#goesOn()
  }

  async finish(): Promise<ChaosOutcome> {
    await this.#load.stop()
    const bootstrap = this.#kafka.bootstrap()
    await this.#awaits(async () => {
      const ends = await this.#kafka.endOffsets(this.#topic)
      const committed = await this.#kafka.committed(this.#topic, this.#topic)
      return [...ends].every(([partition, end]) => end === 0n || committed.get(partition)?.offset === end)
    }, 'every record is committed')
    const exits = await Promise.all([...this.#nodes.values()].map(({ millrace }) => millrace.stop()))
    assert.deepEqual(
      exits,
      exits.map(() => ({ code: 0, signal: null }))
    )
    const log = new Map<number, number[]>()
    for (const { partition, offset } of await topicValues(bootstrap, this.#topic)) {
      const offsets = log.get(partition)
      if (offsets === undefined) log.set(partition, [offset])
      else offsets.push(offset)
    }
    const history: History = {
      log,
      acknowledged: this.#load.acknowledged,
      aborted: this.#load.aborted,
      calls: this.#recorder.calls,
      printed: this.#printed,
      commits: (await groupCommits(bootstrap, this.#topic)).filter(({ topic }) => topic === this.#topic),
      events: this.#events
    }
    return { history, verdict: check(history) }
  }

  get #printed() {
    return this.#foreign.flatMap(({ printed }) => printed)
  }

  async #befall(event: ChaosEvent): Promise<void> {
    const beganMs = Date.now()
    await this.#carryOut(event)
    const node = 'node' in event ? this.#nodes.get(event.node) : undefined
    this.#events.push({
      event,
      beganMs,
      endedMs: Date.now(),
      ...(node === undefined ? {} : { mapping: node.mapping })
    })
  }

  async #carryOut(event: ChaosEvent): Promise<void> {
    switch (event.kind) {
      case 'join':
        return this.#join(event.node)
      case 'leave':
        assert.deepEqual(await this.#node(event.node).millrace.stop(), { code: 0, signal: null })
        return
      case 'kill':
        await this.#node(event.node).millrace.kill()
        await this.#goesOn()
        return this.#node(event.node).millrace.start()
      case 'freeze': {
        const { pid } = this.#node(event.node).millrace
        process.kill(pid, 'SIGSTOP')
        await pause(sessionMs)
        await this.#goesOn()
        process.kill(pid, 'SIGCONT')
        return
      }
      case 'stop-broker':
      case 'kill-broker':
        await (event.kind === 'stop-broker'
          ? this.#kafka.stopBroker(event.broker)
          : this.#kafka.killBroker(event.broker))
        await this.#goesOn()
        await this.#kafka.startBroker(event.broker)
        return allInSync(this.#kafka.bootstrap(), [this.#topic, offsetsTopic, ...this.#transactionTopic])
      case 'add-partitions':
        await this.#kafka.addPartitions(this.#topic, event.total)
        return this.#load.widen(event.total)
      case 'move-leaders':
        return moveLeaders(this.#kafka.bootstrap(), this.#topic)
      case 'move-coordinator':
        return moveLeaders(this.#kafka.bootstrap(), offsetsTopic, javaHash(this.#topic) % offsetsPartitions)
      case 'foreign-joins':
        return this.#foreignJoins()
      case 'foreign-leaves':
        return this.#foreign.at(-1)!.stop()
      default:
        throw new Error(`no way to do ${JSON.stringify(event satisfies never)}`)
    }
  }

  async #join(node: number): Promise<void> {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known.millrace.start()
    const millrace = await this.#world.serve({
      config: {
        groupProtocol: this.#schedule.protocol,
        groupSessionSeconds: sessionMs / 1000,
        retryBaseMs: 20,
        retryCapMs: 100,
        workers: 1
      }
    })
    const mapping = await this.#world.map(millrace, this.#topic, {
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: this.#topic }
    })
    this.#nodes.set(node, { millrace, mapping })
  }

  async #foreignJoins(): Promise<void> {
    const foreign = await ConsoleConsumer.start({
      bootstrap: this.#kafka.bootstrap(),
      topic: this.#topic,
      groupId: this.#topic,
      properties: {
        ...foreignProperties[this.#schedule.protocol],
        'metadata.max.age.ms': '2000',
        'auto.commit.interval.ms': '500'
      }
    })
    this.#foreign.push(foreign)
    await this.#awaits(() => {
      assert.ok(foreign.running, foreign.said)
      return foreign.printed.length >= 20
    }, 'the foreign member reads')
  }

  /** What is written from now on to the partitions that were there from the beginning is done, and all before it. */
  async #goesOn(): Promise<void> {
    const fromMs = Date.now()
    const { partitions } = this.#schedule
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    await this.#awaits(
      () => all.every(partition => (this.#load.lastMs.get(partition) ?? 0) > fromMs),
      'every partition is written to'
    )
    const due = new Set([...this.#load.acknowledged].filter(at => Number(at.split('@')[0]) < partitions))
    const left = () => {
      for (const at of due) if (this.#recorder.done.has(at)) due.delete(at)
      for (const { partition, offset } of this.#printed) due.delete(place(partition, offset))
      return due.size
    }
    await this.#awaits(
      () => left() === 0,
      () => `all goes on; ${due.size} records are not done: ${[...due].slice(0, 5).join()}`
    )
  }

  #awaits(check: () => boolean | Promise<boolean>, describe: string | (() => string)): Promise<true> {
    const told = () => [typeof describe === 'string' ? describe : describe(), timeline(this.#events)].join('\n')
    return eventually(check, { describe: told, timeoutMs: patienceMs, intervalMs: 50 })
  }

  #node(node: number): Node {
    const found = this.#nodes.get(node)
    if (found === undefined) throw new Error(`node ${node} never joined`)
    return found
  }

  get #transactionTopic(): string[] {
    return this.#schedule.transactions ? ['__transaction_state'] : []
  }
}

/** When what befell, in seconds from the first of them. */
export function timeline(events: readonly EventEntry[]): string {
  const [first] = events
  if (first === undefined) return 'nothing has befallen yet'
  const seconds = (ms: number) => ((ms - first.beganMs) / 1000).toFixed(1)
  return events
    .map(({ event, beganMs, endedMs }) => `${seconds(beganMs)} to ${seconds(endedMs)}: ${describeEvent(event)}`)
    .join('\n')
}

/** `String.hashCode`, not negative: a group's commits lie in the partition of this number. */
function javaHash(text: string): number {
  let hash = 0
  for (const char of text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0
  return hash & 0x7fffffff
}
