import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { CreateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import { DeliveryAudit } from '../support/delivery-audit.ts'
import { HttpFunction } from '../support/http-function.ts'
import { sdkApi, type MappingApi } from '../support/mapping-api.ts'
import { MillraceProcess, type MillraceOptions } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import { type KafkaUnderTest, WrittenTopic } from '../support/written-topic.ts'

/** Servers on a Kafka, and a function whose calls are audited; gone when the test ends. A failed test shows their logs. */
export class MillraceWorld {
  readonly kafka: KafkaUnderTest
  readonly function = new HttpFunction()
  readonly audit = new DeliveryAudit().watch(this.function)
  readonly #servers: MillraceProcess[] = []

  static async open(t: TestContext, kafka: KafkaUnderTest): Promise<MillraceWorld> {
    const world = new MillraceWorld(t, kafka)
    await world.function.listen()
    return world
  }

  protected constructor(t: TestContext, kafka: KafkaUnderTest) {
    this.kafka = kafka
    t.after(() => this.close(t))
  }

  /** Starts a server that has the function `orders`, which is `function`, beside what is given. */
  async serve({ config = {}, ...options }: MillraceOptions = {}): Promise<MillraceProcess> {
    const functions = { orders: { http: this.function.url }, ...(config['functions'] as object | undefined) }
    const millrace = await MillraceProcess.start({ config: { ...config, functions }, ...options })
    this.#servers.push(millrace)
    return millrace
  }

  async api(millrace: MillraceProcess): Promise<MappingApi> {
    return sdkApi({ url: millrace.url, ...(await millrace.credentials()) })
  }

  /** Maps the topic to `orders`, self-managed, from the beginning; resolves with the UUID, which is the group too. */
  async map(
    millrace: MillraceProcess,
    topic: string,
    input: Partial<CreateEventSourceMappingCommandInput> = {}
  ): Promise<string> {
    const api = await this.api(millrace)
    const { UUID } = await api.create({
      FunctionName: 'orders',
      Topics: [topic],
      StartingPosition: 'TRIM_HORIZON',
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [...this.kafka.bootstrap] } },
      ...input
    })
    return UUID!
  }

  topic(name: string, partitions: number): Promise<WrittenTopic> {
    return WrittenTopic.create(this.kafka, name, partitions)
  }

  /** Resolves when so many different records reached the function. */
  async succeeded(count: number, timeoutMs = 30_000): Promise<void> {
    await eventually(() => this.audit.succeeded >= count, {
      describe: () => `${count} records reached the function; ${this.audit.succeeded} did`,
      timeoutMs,
      intervalMs: 5
    })
  }

  /** Every record written reached the function, and no promise was broken on the way. */
  assertSound(topic: WrittenTopic): void {
    assert.deepEqual(this.audit.violations, [])
    for (const [partition, end] of topic.ends) {
      assert.deepEqual(this.audit.missing(topic.name, partition, end), [], `lost of partition ${partition}`)
    }
  }

  // @types/node does not know `passed` of a test's context; Node has it since 21.7.
  protected async close(t: object): Promise<void> {
    if ('passed' in t && t.passed === false) for (const server of this.#servers) console.error(server.tail())
    for (const server of this.#servers) await server.close()
    await this.function.close()
  }
}
