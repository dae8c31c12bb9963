// What a reader's thread runs: one poller, put together as src/app/poller-thread.ts does, but in quicker time.
import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openInvoker } from '../../../src/adapters/invoker/open.ts'
import { openKafkaConsumer } from '../../../src/adapters/kafka/kafka-consumer.ts'
import { EventBuffers } from '../../../src/poller/event-buffers.ts'
import { Poller } from '../../../src/poller/poller.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log, LogFields } from '../../../src/ports/log.ts'
import type { PollerAssignment } from '../../../src/ports/poller-host.ts'
import { bugInConsumer, bugInInvoker, type PlantedBug } from './planted-bugs.ts'

export interface ReaderData {
  readonly assignment: PollerAssignment
  readonly bug: PlantedBug | undefined
}

export type FromReader = { readonly type: 'log'; readonly line: string } | { readonly type: 'stopped' }

/** Windows, backoff and the pauses between commits are so much shorter. Sessions and long polls run in real time. */
const haste = 20
const drainMs = 5_000
const graceMs = 5_000
/** Long enough for a machine that is busy: only the dead may lose their session, and they are expelled. */
const sessionTimeoutMs = 10_000

const port = parentPort!
const { assignment, bug } = workerData as ReaderData
const send = (message: FromReader) => port.postMessage(message)

const hasty: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs() * haste,
  after: (delayMs, run) => systemClock.after(delayMs / haste, run),
  chance: () => systemClock.chance()
}

const logWith = (bindings: LogFields): Log => {
  const write = (level: string) => (fields: LogFields, message: string) => {
    send({ type: 'log', line: `${level} ${message} ${JSON.stringify({ ...bindings, ...fields })}` })
  }
  return {
    debug: () => undefined,
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: fields => logWith({ ...bindings, ...fields })
  }
}
const log = logWith({})

const { spec, cluster, mapping, target } = assignment
const consumer = openKafkaConsumer(
  {
    cluster,
    topic: spec.topic,
    groupId: spec.consumerGroupId,
    clientId: mapping,
    startingPosition: spec.startingPosition,
    drainMs
  },
  { clock: systemClock, log },
  { sessionTimeoutMs }
)
const credentials = new AwsCredentialChain(systemClock)
const poller = new Poller(assignment, drainMs * haste, {
  consumer: bugInConsumer(bug, consumer),
  invoker: bugInInvoker(bug, openInvoker(target, { log, clock: systemClock, credentials })),
  clock: hasty,
  log,
  buffers: new EventBuffers(),
  report: report => {
    if (report.kind === 'failed') send({ type: 'log', line: `error the poller failed: ${report.message}` })
  },
  newRequestId: randomUUID
})
port.once('message', () => {
  void poller.stop(graceMs * haste).then(() => send({ type: 'stopped' }))
})
poller.start()
