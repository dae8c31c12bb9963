// What a poller's thread runs: it composes pollers from what the host sends, and tells the host how they fare.
import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { AwsCredentialChain } from '../adapters/aws/credentials.ts'
import { openDestination } from '../adapters/destination/open-destination.ts'
import { RelayedLogins } from '../adapters/host/relayed-logins.ts'
import { SharedMemoryUse } from '../adapters/host/shared-memory-use.ts'
import type { FromThread, ThreadOptions, ToThread } from '../adapters/host/thread-messages.ts'
import { systemClock } from '../adapters/host/system-clock.ts'
import { openInvoker } from '../adapters/invoker/open.ts'
import { openKafkaConsumer } from '../adapters/kafka/kafka-consumer.ts'
import { topicDestination } from '../adapters/kafka/topic-destination.ts'
import { openLog } from '../adapters/log/pino.ts'
import { openClusterSecrets } from '../adapters/secrets/cluster-secrets.ts'
import { mappingCredentials } from './mapping-credentials.ts'
import { forwardEvents } from './poller-events.ts'
import { AddressGuard } from '../core/net/address-guard.ts'
import { EventBuffers } from '../poller/event-buffers.ts'
import { MemoryBudget } from '../poller/memory-budget.ts'
import { Poller } from '../poller/poller.ts'
import type { Destination } from '../ports/destination.ts'
import type { Log } from '../ports/log.ts'
import type { PollerEvent } from '../ports/poller-event.ts'
import type { PollerAssignment, PollerReport } from '../ports/poller-host.ts'

if (parentPort === null) throw new Error('poller-thread runs as a worker thread only')
const port = parentPort
// A report of the process has one of each thread, with the environment anew.
process.report.excludeEnv = true
const {
  logLevel,
  drainMs,
  groupProtocol,
  groupSessionMs,
  groupInstanceId,
  clientRack,
  strictAws,
  backoff,
  destinationDir,
  region,
  refusedRanges,
  memory: { cells, thread },
  events
} = workerData as ThreadOptions
const log = openLog({ level: logLevel })
const sharedUse = new SharedMemoryUse(cells, thread)
let budget: MemoryBudget | undefined
let buffers: EventBuffers | undefined
const credentials = new AwsCredentialChain(systemClock, { log })
const guard = new AddressGuard(refusedRanges)
const secrets = openClusterSecrets({
  aws: credentials,
  clock: systemClock,
  environment: process.env,
  strictAws,
  guard
})
const logins = new RelayedLogins(send)
const pollers = new Map<number, Poller>()

function open(poller: number, assignment: PollerAssignment): void {
  const { spec, mapping, cluster, target, budgetBytes } = assignment
  // The same for all.
  budget ??= new MemoryBudget(budgetBytes, { process: sharedUse, clock: systemClock })
  buffers ??= new EventBuffers(budget.events)
  const memory = budget.open()
  const report = (report: PollerReport) => {
    if (events && report.kind === 'result') tell({ kind: 'result', mapping, text: report.text })
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
        sessionTimeoutMs: groupSessionMs,
        ...(groupInstanceId === '' ? {} : { groupInstanceId: `${groupInstanceId}-${mapping}` }),
        ...(clientRack === '' ? {} : { clientRack }),
        drainMs
      },
      { clock: systemClock, log: mappingLog, secrets, logins, guard, memory }
    ),
    invoker: openInvoker(target, { log: mappingLog, clock: systemClock, credentials, guard }),
    ...openDestinationOf(assignment, mappingLog),
    clock: systemClock,
    log,
    buffers,
    memory,
    backoff,
    strictAws,
    report,
    newRequestId: randomUUID
  })
  pollers.set(poller, opened)
  opened.start()
}

function openDestinationOf(
  { mapping, spec, cluster, destination: target }: PollerAssignment,
  mappingLog: Log
): { destination?: Destination } {
  if (target === undefined) return {}
  const deps = { clock: systemClock, log: mappingLog }
  return {
    destination:
      target.kind === 'kafka'
        ? topicDestination(
            { topic: target.topic, cluster, clientId: `millrace-${mapping}` },
            { ...deps, secrets, logins, guard }
          )
        : openDestination(target, { ...deps, aws: mappingCredentials(credentials, spec.tags), region, destinationDir })
  }
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

const tell = (event: PollerEvent) => {
  send({ type: 'event', event, atMs: systemClock.now() })
}
if (events) forwardEvents(tell)

send({ type: 'ready' })
port.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'open':
      return open(message.poller, message.assignment)
    case 'stop':
      return void stop(message.poller, message.graceMs)
    case 'login':
    case 'login-ended':
      return logins.receive(message)
    default:
      throw new Error(`no way with ${JSON.stringify(message satisfies never)}`)
  }
})
