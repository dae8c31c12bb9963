import { setTimeout as pause } from 'node:timers/promises'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import { DeliveryAudit } from '../../support/delivery-audit.ts'
import { expel } from '../../support/group-admin.ts'
import { failed, HttpFunction, returned } from '../../support/http-function.ts'
import { aSpec } from '../../support/mappings.ts'
import { eventually } from '../../support/poll.ts'
import { embeddedKafka, WrittenTopic } from '../../support/written-topic.ts'
import { chanceOf, type Blow, type CrashPlan } from './crash-plan.ts'
import type { PlantedBug } from './planted-bugs.ts'
import { Reader } from './reader.ts'

export interface CrashOutcome {
  /** Empty when every promise was kept. */
  readonly violations: readonly string[]
  readonly kills: number
  readonly repeats: number
  /** Of the readers and of the blows. */
  readonly log: readonly string[]
}

const groupId = 'readers'
const patienceMs = 30_000
const moreThanAreSent = 1_000

/** Runs a plan on an embedded broker of its own, with a bug planted if one is named. Ends at the first broken promise. */
export async function runCrash(plan: CrashPlan, bug?: PlantedBug): Promise<CrashOutcome> {
  const run = new CrashRun(plan, bug)
  try {
    return await run.run()
  } finally {
    await run.close()
  }
}

class CrashRun {
  readonly #plan: CrashPlan
  readonly #bug: PlantedBug | undefined
  readonly #broker = new EmbeddedBroker()
  readonly #kafka = embeddedKafka(this.#broker)
  readonly #function = new HttpFunction()
  readonly #audit = new DeliveryAudit()
  readonly #readers: Reader[] = []
  readonly #expulsions: Promise<void>[] = []
  readonly #log: string[] = []
  readonly #startedMs = performance.now()
  #lives = 0
  #kills = 0

  constructor(plan: CrashPlan, bug: PlantedBug | undefined) {
    this.#plan = plan
    this.#bug = bug
    this.#audit.watch(this.#function)
    this.#broker.onCommit(commit => this.#audit.committed(commit))
    const chance = chanceOf(plan.seed ^ 0x5bd1e995)
    this.#function.script = async () => {
      const fails = chance() < plan.failing
      await pause(chance() * plan.callMs)
      return fails ? failed : returned
    }
  }

  async run(): Promise<CrashOutcome> {
    const { protocol, readers, partitions, recordsPerPartition, blows } = this.#plan
    await this.#broker.start()
    if (protocol === 'classic') {
      this.#broker.answerNext('ConsumerGroupHeartbeat', { error: 'UNSUPPORTED_VERSION' }, moreThanAreSent)
    }
    await this.#function.listen()
    const topic = await WrittenTopic.create(this.#kafka, 'orders', partitions)
    for (let index = 0; index < readers; index++) this.#readers.push(this.#reader())
    // In portions, so that blows fall on readers that wait as well as on such that have plenty.
    const portion = Math.ceil(recordsPerPartition / (blows.length + 1))
    for (const blow of blows) {
      await topic.write(portion)
      await this.#reaches(Math.min(blow.afterRecords, topic.total))
      await this.#strike(blow)
    }
    await topic.write(recordsPerPartition - portion * blows.length)
    await this.#reaches(topic.total)
    await Promise.all(this.#expulsions)
    await Promise.all(this.#readers.map(reader => reader.stop()))
    return this.#close(topic)
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map(reader => reader.kill()))
    await Promise.allSettled(this.#expulsions)
    await this.#function.close()
    await this.#broker.stop()
  }

  #reader(): Reader {
    const { batchSize, windowSeconds, parallelizationFactor } = this.#plan
    const mapping = `reader-${++this.#lives}`
    const spec = aSpec({ topic: 'orders', consumerGroupId: groupId, batchSize, windowSeconds, parallelizationFactor })
    const assignment = {
      mapping,
      specVersion: 1,
      spec,
      cluster: { bootstrapServers: this.#kafka.bootstrap },
      bootstrapServers: this.#broker.bootstrap,
      target: { kind: 'http', url: this.#function.url, headers: {}, timeoutMs: 10_000 },
      budgetBytes: 8 << 20
    } as const
    return new Reader({ assignment, bug: this.#bug }, line => this.#note(line))
  }

  async #strike(blow: Blow): Promise<void> {
    this.#note(`${blow.kind} after ${this.#audit.succeeded} records`)
    switch (blow.kind) {
      case 'kill':
        return this.#kill(blow)
      case 'stop':
        await this.#readers[blow.reader]!.stop()
        this.#readers[blow.reader] = this.#reader()
        return
      case 'cut':
        return this.#broker.dropConnections()
      case 'lose':
        return this.#broker.answerNext('OffsetCommit', { loseAnswer: true }, 2)
      case 'refuse':
        return this.#broker.answerNext('OffsetCommit', { error: 'COORDINATOR_LOAD_IN_PROGRESS' }, 2)
      default:
        throw new Error(`no such blow: ${blow.kind satisfies never}`)
    }
  }

  async #kill({ reader: index, noticedAfterMs }: Blow): Promise<void> {
    const dead = this.#readers[index]!
    await dead.kill()
    this.#kills++
    this.#audit.killed(dead.id)
    this.#readers[index] = this.#reader()
    this.#expulsions.push(pause(noticedAfterMs).then(() => this.#expel(dead)))
  }

  /** Nobody waits for the end of its session. */
  async #expel({ id }: Reader): Promise<void> {
    try {
      const members = await expel(this.#kafka.bootstrap, groupId, clientId => clientId === id)
      this.#note(`${id} is expelled from the group: ${members.map(member => member.id).join() || 'was none of it'}`)
    } catch (error) {
      this.#note(`could not expel ${id}, its session must end: ${(error as Error).message}`)
    }
  }

  /** Resolves when so many records have succeeded, or a promise is broken. */
  async #reaches(records: number): Promise<void> {
    const audit = this.#audit
    try {
      await eventually(() => audit.succeeded >= records || audit.violations.length > 0, {
        describe: () => `${records} records succeeded; ${audit.succeeded} did`,
        timeoutMs: patienceMs,
        intervalMs: 2
      })
    } catch (error) {
      audit.violations.push(`stuck: ${(error as Error).message}`)
    }
  }

  async #close(topic: WrittenTopic): Promise<CrashOutcome> {
    const violations = [...this.#audit.violations]
    const committed = await this.#kafka.committed(groupId, topic.name)
    for (const [partition, end] of topic.ends) {
      const missing = this.#audit.missing(topic.name, partition, end)
      if (missing.length > 0) violations.push(`lost: ${missing.length} of partition ${partition}, first ${missing[0]}`)
      if (committed.get(partition) !== end)
        violations.push(`uncommitted: ${committed.get(partition)} of ${end} in partition ${partition} after the stop`)
    }
    return { violations, kills: this.#kills, repeats: this.#audit.repeats, log: this.#log }
  }

  #note(line: string): void {
    this.#log.push(`${Math.round(performance.now() - this.#startedMs)} ms ${line}`)
  }
}
