// The bare loop, in a process of its own: fetch positions → encode → POST, nothing else. No group, no commit, no ledger,
// no retry, no budget; the parts that cannot be left out are the product's own. It is the limit the product is held to.
import { Pool } from 'undici'
import { systemClock } from '../src/adapters/host/system-clock.ts'
import { apis, callRaw, newestShared } from '../src/adapters/kafka/apis.ts'
import { BufferPool } from '../src/adapters/kafka/buffer-pool.ts'
import { Cluster } from '../src/adapters/kafka/cluster.ts'
import type { TopicInfo } from '../src/adapters/kafka/cluster.ts'
import { parseFetchResponse } from '../src/adapters/kafka/fetch-response.ts'
import { BatchReader } from '../src/adapters/kafka/record-batch.ts'
import { EventEncoder, maxEventBytes } from '../src/core/event/encoder.ts'
import { sliceRecords } from '../src/core/record.ts'
import type { Slice } from '../src/core/record.ts'

export interface BareJob {
  readonly bootstrap: string
  readonly topic: string
  readonly url: string
  readonly batchSize: number
  readonly inFlight: number
  /** In each partition, from offset 0 on. */
  readonly recordsPerPartition: number
}

/** As the product asks. */
const fetchMaxBytes = 8 << 20
const partitionMaxBytes = 2 << 20
const maxWaitMs = 500
/** A partition with this many batches waiting is left out of the next fetch. */
const batchesAhead = 2
const headers = ['content-type', 'application/json']

interface Lane {
  readonly partition: number
  offset: number
  slices: Slice[]
  waiting: number
  left: number
  busy: boolean
}

class BareLoop {
  readonly #job: BareJob
  readonly #cluster: Cluster
  readonly #encoder: EventEncoder
  readonly #pool: Pool
  readonly #path: string
  readonly #lanes: Lane[]
  readonly #buffers: Buffer[] = []
  #inFlight = 0
  #wake: (() => void) | undefined

  constructor(job: BareJob, cluster: Cluster, partitions: number) {
    const { origin, pathname } = new URL(job.url)
    this.#job = job
    this.#cluster = cluster
    this.#encoder = new EventEncoder({ kind: 'self-managed', bootstrapServers: job.bootstrap })
    this.#pool = new Pool(origin, { connections: job.inFlight, pipelining: 1 })
    this.#path = pathname
    this.#lanes = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      offset: 0,
      slices: [],
      waiting: 0,
      left: job.recordsPerPartition,
      busy: false
    }))
  }

  async fetch(topic: TopicInfo): Promise<never> {
    const [node] = this.#cluster.brokers.keys()
    const wire = await this.#cluster.wireTo(node!, 'fetch')
    const codec = newestShared(apis.fetch, this.#cluster.offered(wire))
    const topicId = codec.version >= 13 ? topic.id : topic.name
    for (;;) {
      const { batchSize, recordsPerPartition } = this.#job
      const hungry = this.#lanes.filter(
        ({ waiting, offset }) => waiting < batchesAhead * batchSize && offset < recordsPerPartition
      )
      if (hungry.length === 0) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        continue
      }
      const partitions = hungry.map(({ partition, offset }) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes
      }))
      const request = [maxWaitMs, 1, fetchMaxBytes, 0, 0, -1, [{ topicId, partitions }], [], ''] as const
      const { body, lease } = await callRaw(wire, codec, [...request] as never, 30_000)
      for (const answer of parseFetchResponse(body, codec.version).partitions) {
        const lane = this.#lanes[answer.partition]!
        const { recordsStart, recordsEnd, aborted } = answer
        const bytes = body.subarray(recordsStart, recordsEnd)
        const target = { topic: topic.name, partition: lane.partition, fetchOffset: lane.offset }
        const batches = new BatchReader(bytes, target, aborted, lease)
        for (let batch = batches.next(); batch !== undefined; batch = batches.next()) {
          lane.offset = batch.nextOffset
          const { block } = batch
          if (block === undefined) continue
          lane.slices.push({ block, from: 0, to: block.count })
          lane.waiting += block.count
        }
      }
      lease.release()
      this.#send()
    }
  }

  #send(): void {
    for (const lane of this.#lanes) {
      if (this.#inFlight >= this.#job.inFlight) return
      if (lane.busy || lane.waiting === 0) continue
      if (lane.waiting >= Math.min(this.#job.batchSize, lane.left)) this.#post(lane)
    }
  }

  #post(lane: Lane): void {
    const slices = take(lane, this.#job.batchSize)
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(maxEventBytes)
    const { bytes, records } = this.#encoder.encode(slices, buffer)
    if (slices.reduce((sum, slice) => sum + sliceRecords(slice), 0) !== records)
      throw new Error('an event is too large')
    lane.busy = true
    lane.left -= records
    this.#inFlight++
    let status = 0
    this.#pool.dispatch(
      { path: this.#path, method: 'POST', headers, body: buffer.subarray(0, bytes) },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code) => {
          status = code
        },
        onResponseData: () => undefined,
        onResponseEnd: () => {
          if (status !== 200) throw new Error(`the function answered ${status}`)
          this.#buffers.push(buffer)
          for (const { block, from, to } of slices) block.finish(to - from)
          lane.busy = false
          this.#inFlight--
          this.#send()
          this.#wake?.()
        },
        onResponseError: (_controller, error) => {
          throw error
        }
      }
    )
  }
}

function take(lane: Lane, records: number): Slice[] {
  const taken: Slice[] = []
  while (records > 0 && lane.slices.length > 0) {
    const slice = lane.slices[0]!
    const { block, from } = slice
    const to = Math.min(slice.to, from + records)
    taken.push({ block, from, to })
    records -= to - from
    lane.waiting -= to - from
    if (to === slice.to) lane.slices.shift()
    else lane.slices[0] = { block, from: to, to: slice.to }
  }
  return taken
}

async function run(job: BareJob): Promise<never> {
  const cluster = new Cluster(
    { bootstrapServers: [job.bootstrap], clientId: 'bare', connectTimeoutMs: 5_000, requestTimeoutMs: 30_000 },
    { clock: systemClock, pool: new BufferPool(32 << 20) }
  )
  const topic = (await cluster.topics([job.topic])).get(job.topic)
  if (topic === undefined || typeof topic === 'number') throw new Error(`no topic ${job.topic} (error ${topic})`)
  return new BareLoop(job, cluster, topic.partitions.size).fetch(topic)
}

process.on('message', (job: BareJob) => void run(job))
// Whoever started it has gone.
process.on('disconnect', () => process.exit())
process.send?.('ready')
