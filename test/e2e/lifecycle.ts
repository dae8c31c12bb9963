import assert from 'node:assert/strict'
import type { CreateEventSourceMappingCommandInput, EventSourceMappingConfiguration } from '@aws-sdk/client-lambda'
import { groupMembers } from '../support/group-admin.ts'
import type { HttpFunction } from '../support/http-function.ts'
import { mappingWhen, type ApiError, type MappingApi } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { assertExactlyOnce, type KafkaUnderTest, WrittenTopic } from '../support/written-topic.ts'

/** A function by its name, and the double that sees its calls. */
export interface NamedFunction {
  readonly name: string
  readonly double: HttpFunction
}

export interface LifecycleParts {
  /** The client under test. */
  readonly api: MappingApi
  /** A quick one, to wait with. */
  readonly watch: MappingApi
  readonly kafka: KafkaUnderTest
  /** Absent: the source is self-managed. */
  readonly clusterArn?: string
  readonly first: NamedFunction
  readonly second: NamedFunction
  /** Of the topic; no other test uses it. */
  readonly topic: string
}

const partitions = 3

/** The life of one mapping over the API, from create to delete: what AWS's clients see, and what the functions get. */
export async function liveThrough(parts: LifecycleParts): Promise<void> {
  await new Life(parts, await WrittenTopic.create(parts.kafka, parts.topic, partitions)).run()
}

class Life {
  readonly #parts: LifecycleParts
  readonly #topic: WrittenTopic
  readonly #groupId: string
  #uuid = ''

  constructor(parts: LifecycleParts, topic: WrittenTopic) {
    this.#parts = parts
    this.#topic = topic
    this.#groupId = `${parts.topic}-readers`
  }

  async run(): Promise<void> {
    await this.#topic.write(20)
    await this.#create()
    await this.#isFound()
    await this.#changeBatching()
    await this.#changeFunction()
    await this.#disableAndEnable()
    await this.#delete()
  }

  async #create(): Promise<void> {
    const { api, first } = this.#parts
    const created = await api.create({
      FunctionName: first.name,
      Topics: [this.#topic.name],
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0,
      ...this.#source()
    })
    this.#uuid = created.UUID!
    assert.match(this.#uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    this.#says(created, 'Creating')
    assert.equal(created.LastProcessingResult, 'No records processed')
    assert.equal(created.FunctionArn, `arn:aws:lambda:us-east-1:000000000000:function:${first.name}`)
    await this.#received(first)
    assertExactlyOnce(first.double.values(this.#topic.name), this.#topic.values())
    const enabled = await this.#settled('Enabled')
    assert.equal(enabled.BatchSize, 10)
    assert.equal(enabled.MaximumBatchingWindowInSeconds, 0)
    this.#eventsNameTheSource()
  }

  #eventsNameTheSource(): void {
    const { kafka, clusterArn } = this.#parts
    for (const { event, records } of this.#calls(this.#parts.first)) {
      assert.equal(event.eventSource, clusterArn === undefined ? 'SelfManagedKafka' : 'aws:kafka')
      assert.equal(event.eventSourceArn, clusterArn)
      assert.equal(event.bootstrapServers, kafka.bootstrap.join(','))
      assert.ok(records.length <= 10, `a batch of ${records.length}`)
    }
  }

  async #isFound(): Promise<void> {
    const { api, first, second, clusterArn } = this.#parts
    const got = await api.get(this.#uuid)
    this.#says(got, 'Enabled')
    const uuids = async (FunctionName: string) =>
      (await api.list({ FunctionName, ...(clusterArn === undefined ? {} : { EventSourceArn: clusterArn }) })).map(
        ({ UUID }) => UUID
      )
    assert.ok((await uuids(first.name)).includes(this.#uuid))
    assert.ok(!(await uuids(second.name)).includes(this.#uuid))
  }

  async #changeBatching(): Promise<void> {
    const { api, first } = this.#parts
    const before = this.#calls(first).length
    const change = { UUID: this.#uuid, BatchSize: 4, MaximumBatchingWindowInSeconds: 1 }
    this.#says(await api.update(change), 'Updating')
    const updated = await this.#settled('Enabled')
    assert.equal(updated.BatchSize, 4)
    assert.equal(updated.MaximumBatchingWindowInSeconds, 1)
    await this.#topic.write(8)
    await this.#received(first)
    const sizes = this.#calls(first)
      .slice(before)
      .map(({ records }) => records.length)
    assert.ok(
      sizes.every(size => size <= 4),
      `batches of ${sizes.join()}`
    )
    assertExactlyOnce(first.double.values(this.#topic.name), this.#topic.values())
  }

  async #changeFunction(): Promise<void> {
    const { api, first, second } = this.#parts
    const before = this.#topic.ends
    const calls = this.#calls(first).length
    const updated = await api.update({ UUID: this.#uuid, FunctionName: second.name })
    this.#says(updated, 'Updating')
    assert.equal(updated.FunctionArn, `arn:aws:lambda:us-east-1:000000000000:function:${second.name}`)
    await this.#settled('Enabled')
    await this.#topic.write(8)
    await this.#received(second, this.#topic.total - sum(before))
    assertExactlyOnce(second.double.values(this.#topic.name), this.#topic.values(before))
    assert.equal(this.#calls(first).length, calls, 'calls of the function that it had before')
  }

  async #disableAndEnable(): Promise<void> {
    const { api, kafka, second } = this.#parts
    const before = second.double.count(this.#topic.name)
    this.#says(await api.update({ UUID: this.#uuid, Enabled: false }), 'Disabling')
    await this.#settled('Disabled')
    assert.deepEqual(await groupMembers(kafka.bootstrap, this.#groupId), [])
    assert.deepEqual(await this.#committed(), this.#topic.ends)
    const calls = this.#calls(second).length
    const waiting = this.#topic.ends
    await this.#topic.write(10)
    assert.equal(this.#calls(second).length, calls, 'calls while the mapping is disabled')
    this.#says(await api.update({ UUID: this.#uuid, Enabled: true }), 'Enabling')
    await this.#received(second, before + this.#topic.total - sum(waiting))
    await this.#settled('Enabled')
    const received = second.double.values(this.#topic.name)
    const written = this.#topic.values()
    for (const [partition, values] of received) assert.deepEqual(values, written.get(partition)!.slice(-values.length))
    assert.equal(second.double.count(this.#topic.name), before + this.#topic.total - sum(waiting))
  }

  async #delete(): Promise<void> {
    const { api, watch } = this.#parts
    const deleted = await api.delete(this.#uuid)
    this.#says(deleted, 'Deleting')
    const gone = { name: 'ApiError', code: 'ResourceNotFoundException' } satisfies Partial<ApiError>
    await eventually(
      () =>
        watch.get(this.#uuid).then(
          () => false,
          (error: ApiError) => error.code === gone.code
        ),
      { describe: 'the mapping is gone' }
    )
    await assert.rejects(api.get(this.#uuid), gone)
    await assert.rejects(api.delete(this.#uuid), gone)
    assert.deepEqual(await this.#committed(), this.#topic.ends, 'what the group has committed stays')
  }

  #source(): Partial<CreateEventSourceMappingCommandInput> {
    const { clusterArn, kafka } = this.#parts
    const group = { ConsumerGroupId: this.#groupId }
    return clusterArn === undefined
      ? {
          SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [...kafka.bootstrap] } },
          SelfManagedKafkaEventSourceConfig: group
        }
      : { EventSourceArn: clusterArn, AmazonManagedKafkaEventSourceConfig: group }
  }

  #calls({ double }: NamedFunction) {
    return double.calls.filter(({ records }) => records[0]?.topic === this.#topic.name)
  }

  /** Resolves when so many records of the topic reached the function: all that were written, unless given. */
  async #received({ name, double }: NamedFunction, count = this.#topic.total): Promise<void> {
    const now = () => double.count(this.#topic.name)
    await eventually(() => now() >= count, {
      describe: () => `${count} records reached ${name}; ${now()} did`,
      timeoutMs: 20_000,
      intervalMs: 10
    })
  }

  /** The mapping as `Get` shows it in this state, once what it processed is told. */
  #settled(state: string): Promise<EventSourceMappingConfiguration> {
    const { watch } = this.#parts
    const settled = ({ State, LastProcessingResult }: EventSourceMappingConfiguration) =>
      State === state && LastProcessingResult === 'OK'
    return mappingWhen(watch, this.#uuid, `${state} and OK`, settled)
  }

  #says(mapping: EventSourceMappingConfiguration, state: string): void {
    const { clusterArn, kafka } = this.#parts
    assert.equal(mapping.UUID, this.#uuid)
    assert.equal(mapping.State, state)
    assert.equal(mapping.StateTransitionReason, 'USER_INITIATED')
    assert.deepEqual(mapping.Topics, [this.#topic.name])
    assert.equal(mapping.EventSourceArn, clusterArn)
    const servers = mapping.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS
    assert.deepEqual(servers, clusterArn === undefined ? kafka.bootstrap : undefined)
    const config = mapping.AmazonManagedKafkaEventSourceConfig ?? mapping.SelfManagedKafkaEventSourceConfig
    assert.equal(config?.ConsumerGroupId, this.#groupId)
  }

  async #committed(): Promise<Map<number, number>> {
    const found = await this.#parts.kafka.committed(this.#groupId, this.#topic.name)
    return new Map([...found].toSorted(([a], [b]) => a - b))
  }
}

const sum = (ends: ReadonlyMap<number, number>): number => [...ends.values()].reduce((total, end) => total + end, 0)
