// What a poller's thread runs: it composes pollers from what the host sends, and tells the host how they fare.
import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, ThreadOptions, ToThread } from '../adapters/host/thread-messages.ts'
import { systemClock } from '../adapters/host/system-clock.ts'
import { AwsCredentials } from '../adapters/invoker/aws-credentials.ts'
import { openInvoker } from '../adapters/invoker/open.ts'
import { openKafkaConsumer } from '../adapters/kafka/kafka-consumer.ts'
import { openLog } from '../adapters/log/pino.ts'
import { EventBuffers } from '../poller/event-buffers.ts'
import { Poller } from '../poller/poller.ts'
import type { PollerAssignment, PollerReport } from '../ports/poller-host.ts'

if (parentPort === null) throw new Error('poller-thread runs as a worker thread only')
const port = parentPort
const { logLevel, drainMs, groupProtocol, groupInstanceId } = workerData as ThreadOptions
const log = openLog({ level: logLevel })
const buffers = new EventBuffers()
const credentials = new AwsCredentials({ clock: systemClock, log })
const pollers = new Map<number, Poller>()

function open(poller: number, assignment: PollerAssignment): void {
  const { spec, mapping, cluster, target } = assignment
  const report = (report: PollerReport) => {
    send({ type: 'report', poller, report })
  }
  const mappingLog = log.child({ mapping, topic: spec.topic })
  const opened = new Poller(assignment, drainMs, {
    consumer: openKafkaConsumer(
      {
        cluster,
        topic: spec.topic,
        groupId: spec.consumerGroupId,
        clientId: `millrace-${mapping}`,
        startingPosition: spec.startingPosition,
        groupProtocol,
        ...(groupInstanceId === '' ? {} : { groupInstanceId: `${groupInstanceId}-${mapping}` }),
        drainMs
      },
      { clock: systemClock, log: mappingLog }
    ),
    invoker: openInvoker(target, { log: mappingLog, clock: systemClock, credentials }),
    clock: systemClock,
    log,
    buffers,
    report,
    newRequestId: randomUUID
  })
  pollers.set(poller, opened)
  opened.start()
}

async function stop(poller: number, graceMs: number): Promise<void> {
  try {
    await pollers.get(poller)?.stop(graceMs)
  } finally {
    pollers.delete(poller)
    send({ type: 'stopped', poller })
  }
}

function send(message: FromThread): void {
  port.postMessage(message)
}

port.on('message', (message: ToThread) => {
  if (message.type === 'open') open(message.poller, message.assignment)
  else void stop(message.poller, message.graceMs)
})
