import {
  lookAtCertificate,
  reachBroker,
  resolveBroker,
  type ShownCertificate
} from '../../adapters/kafka/broker-reach.ts'
import { ClusterProbe, type ProbedTopic, type TopicOperation } from '../../adapters/kafka/cluster-probe.ts'
import { parseAddress, type BrokerAddress } from '../../adapters/kafka/cluster.ts'
import { AuthenticationRefused, BrokerUnreachable, errorCode, KafkaRefusal } from '../../adapters/kafka/problems.ts'
import { TlsSource } from '../../adapters/kafka/security/tls.ts'
import { readTopic } from '../../adapters/kafka/topic-reader.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import { column } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets } from '../../ports/cluster-security.ts'
import type { ClusterAddress } from '../../ports/consumer.ts'
import { tokenAdvice } from './advice.ts'
import { Complaint, NotDone, type Finding, type Line } from './checkup.ts'
import type { Patient } from './patient.ts'

export interface KafkaExaminationDeps {
  readonly clock: Clock
  readonly secrets: ClusterSecrets
  readonly guard: AddressGuard
  /** Of one answer; shorter than a step. */
  readonly answerMs: number
}

const clientId = 'millrace-doctor'
/** A certificate that expires sooner is worth a word. */
const soonMs = 30 * 86_400_000

/**
 * From the name of a broker to one record, each step on its own. `topics` gets a line of its own where steps can go on beside
 * each other.
 */
export async function examineKafka(
  address: ClusterAddress,
  patient: Patient,
  deps: KafkaExaminationDeps,
  line: Line,
  more: () => Line
): Promise<void> {
  const servers = address.bootstrapServers.map(parseAddress)
  const reached = await examineWay(servers, address, deps, line)
  if (!reached) return skipRest(patient, line, 'no broker can be reached')
  const { clock, secrets, guard, answerMs } = deps
  const timeouts = { connectTimeoutMs: answerMs, requestTimeoutMs: answerMs }
  await using probe = new ClusterProbe({ address, clientId, ...timeouts }, { clock, log: silentLog, secrets, guard })
  if (!(await examineOpening(probe, address, line))) return skipRest(patient, line, 'no broker lets us in')
  await line.run('metadata', undefined, () => examineBrokers(probe))
  // Each has a line of its own: they can wait beside each other.
  await Promise.all([
    examineTopic(probe, patient, more(), address, deps),
    examineGroup(probe, patient, more()),
    examineDestinationTopic(probe, patient, more())
  ])
}

/** DNS, TCP and TLS of every bootstrap server; true when one of them is reached. */
async function examineWay(
  servers: readonly BrokerAddress[],
  address: ClusterAddress,
  deps: KafkaExaminationDeps,
  line: Line
): Promise<boolean> {
  const { guard } = deps
  const each = <T>(
    step: string,
    of: readonly BrokerAddress[],
    work: (server: BrokerAddress, signal: AbortSignal) => Promise<Finding<T>>
  ) =>
    Promise.all(
      of.map(server =>
        line.run(step, nameOf(server), signal => work(server, signal).then(done => ({ ...done, value: server })))
      )
    )
  const resolved = found(
    await each('DNS', servers, async server => {
      const addresses = await resolveBroker(server, guard)
      return { detail: addresses.join(', '), value: undefined }
    })
  )
  const connected = found(
    await each('TCP', resolved, async (server, signal) => {
      await reachBroker(server, guard, signal)
      return { detail: 'connected', value: undefined }
    })
  )
  const { security } = address
  if (security === undefined || !security.protocol.endsWith('SSL')) {
    line.skip('TLS', undefined, 'the mapping asks for none')
    return connected.length > 0
  }
  const source = new TlsSource(security, deps.secrets)
  const trusted = found(
    await each('TLS', connected, async (server, signal) => examineTls(server, await source.terms(), deps, signal))
  )
  return trusted.length > 0
}

async function examineTls(
  server: BrokerAddress,
  { context }: Awaited<ReturnType<TlsSource['terms']>>,
  { guard, clock }: KafkaExaminationDeps,
  signal: AbortSignal
): Promise<Finding<undefined>> {
  try {
    await reachBroker(server, guard, signal, context)
  } catch (error) {
    if (!(error instanceof BrokerUnreachable) || error.kind !== 'server-untrusted') throw error
    const shown = await lookAtCertificate(server, context, signal)
    if (shown === undefined) throw error
    const { broker, reason, kind } = error
    throw new BrokerUnreachable(broker, `${reason} (it shows ${certificateText(shown)})`, {
      stage: 'TLS',
      kind,
      cause: error
    })
  }
  const shown = await lookAtCertificate(server, context, signal)
  if (shown === undefined) return { detail: 'trusted', value: undefined }
  const leftDays = Math.floor((shown.validToMs - clock.now()) / 86_400_000)
  const soon = shown.validToMs - clock.now() < soonMs ? `; expires in ${leftDays} days` : ''
  return { detail: `${certificateText(shown)}${soon}`, value: undefined }
}

const certificateText = ({ subject, chain, names, validToMs }: ShownCertificate): string =>
  [
    subject === '' ? 'a certificate without a subject' : subject,
    ...(chain.length > 1 ? [`signed by ${chain.slice(1).join(', ')}`] : []),
    `for ${names.length === 0 ? 'no names' : names.join(', ')}`,
    `until ${Number.isNaN(validToMs) ? 'an unknown day' : new Date(validToMs).toISOString()}`
  ].join('; ')

/** The first answer of a broker, and proving to it who we are. */
async function examineOpening(probe: ClusterProbe, { security }: ClusterAddress, line: Line): Promise<boolean> {
  const opening = probe.open()
  opening.catch(() => undefined)
  const isSasl = security?.mechanism !== undefined
  const answered = await line.run('API versions', undefined, async () => {
    try {
      const { broker, apiCount } = await opening
      return { detail: `${broker} offers ${apiCount} APIs`, value: true }
    } catch (error) {
      // It answered, or SASL would not have begun.
      if (isSasl && error instanceof BrokerUnreachable && (error.stage === 'SASL' || error.stage === 'secret'))
        return { detail: `${error.broker} answers`, value: true }
      throw error
    }
  })
  if (!isSasl) {
    line.skip('SASL', undefined, 'the mapping asks for none')
    return answered === true
  }
  if (answered === undefined) {
    line.skip('SASL', security.mechanism, 'no broker answers')
    return false
  }
  const proved = await line.run('SASL', security.mechanism, async () => {
    try {
      const { broker } = await opening
      return { detail: `${broker} believes us`, value: true }
    } catch (error) {
      const advice = tokenAdvice(security)
      if (advice !== undefined && error instanceof AuthenticationRefused && !error.reason.includes('does not take'))
        throw new Complaint(error.reason, advice, { cause: error })
      throw error
    }
  })
  return proved === true
}

/** The brokers that the cluster names are those that records come from: they must be reached as well. */
async function examineBrokers(probe: ClusterProbe): Promise<Finding<undefined>> {
  const brokers = await probe.brokers()
  const tried = await Promise.all(
    [...brokers].map(async ([node, broker]) => {
      try {
        await probe.reach(broker)
        return undefined
      } catch (error) {
        return { node, broker, error: error as Error }
      }
    })
  )
  const failed = tried.filter(each => each !== undefined)
  const [first] = failed
  if (first === undefined)
    return {
      detail: `reached ${[...brokers.values()].map(nameOf).join(', ')}`,
      value: undefined
    }
  const others = failed.length === 1 ? '' : `, nor ${failed.length - 1} others`
  throw new Complaint(
    `the cluster names ${nameOf(first.broker)} as broker ${first.node}, which cannot be reached${others}: ${first.error.message}`,
    'Let the brokers name addresses that this machine reaches (advertised.listeners), or open the way to them.'
  )
}

async function examineTopic(
  probe: ClusterProbe,
  { topic }: Patient,
  line: Line,
  address: ClusterAddress,
  deps: KafkaExaminationDeps
): Promise<void> {
  if (topic === undefined) return line.skip('topic', undefined, 'none was named')
  const known = await line.run('topic', topic, () =>
    asked('Describe', 'Topic', topic, () => topicFinding(probe, topic))
  )
  if (known === undefined) {
    line.skip('ACL Read', `topic ${topic}`, 'the topic is not seen')
    return line.skip('record', topic, 'the topic is not seen')
  }
  await examineOperation('Read', topic, known, line)
  await line.run('record', topic, signal => asked('Read', 'Topic', topic, () => peek(topic, address, deps, signal)))
}

async function topicFinding(probe: ClusterProbe, topic: string): Promise<Finding<ProbedTopic>> {
  const value = await probe.topic(topic)
  const { partitions, leaderless } = value
  if (leaderless.length > 0)
    throw new Complaint(
      `${leaderless.length} of ${partitions} partitions have no leader: ${leaderless.slice(0, 10).join(', ')}`,
      'Bring the brokers back that hold these partitions.'
    )
  return { detail: partitions === 1 ? '1 partition' : `${partitions} partitions`, value }
}

/** As the broker tells; a trial would write. */
function examineOperation(operation: TopicOperation, topic: string, { allowed }: ProbedTopic, line: Line) {
  return line.run(`ACL ${operation}`, `topic ${topic}`, () => {
    if (allowed === undefined) return Promise.reject(new NotDone('the broker does not tell'))
    if (allowed.has(operation)) return Promise.resolve({ detail: 'allowed', value: true })
    return Promise.reject(new Complaint('not allowed', aclAdvice(operation, 'Topic', topic)))
  })
}

async function peek(
  topic: string,
  cluster: ClusterAddress,
  { clock, secrets, guard, answerMs }: KafkaExaminationDeps,
  signal: AbortSignal
): Promise<Finding<undefined>> {
  const timeouts = { connectTimeoutMs: answerMs, requestTimeoutMs: answerMs, startTimeoutMs: answerMs }
  const blocks = readTopic(
    { cluster, clientId, topic, from: { last: 1 }, follow: false, signal },
    { clock, log: silentLog, secrets, guard },
    timeouts
  )
  let detail = 'the topic is empty'
  for await (const block of blocks) {
    const { offsets, timestamps, positions, count, partition } = block
    const last = count - 1
    if (last >= 0) {
      const row = last * column.stride
      const bytes = Math.max(0, positions[row + column.valueEnd]! - positions[row + column.valueStart]!)
      const writtenAt = new Date(timestamps[last]!)
      const when = Number.isNaN(writtenAt.getTime()) ? '' : `, of ${writtenAt.toISOString()}`
      detail = `partition ${partition}, offset ${offsets[last]!}, ${bytes} bytes${when}`
    }
    block.finish(count)
  }
  return { detail, value: undefined }
}

async function examineGroup(probe: ClusterProbe, { groupId, topic }: Patient, line: Line): Promise<void> {
  let mayRead: boolean | undefined
  if (groupId === undefined) {
    const why = "none was named: a mapping's group is its UUID, unless it names another"
    for (const operation of ['ACL Describe', 'ACL Read']) line.skip(operation, 'group', why)
  } else {
    const about = `group ${groupId}`
    await line.run('ACL Describe', about, () =>
      asked('Describe', 'Group', groupId, async () => {
        const coordinator = await probe.coordinator(groupId)
        return { detail: `allowed; ${nameOf(coordinator)} coordinates it`, value: undefined }
      })
    )
    mayRead = await line.run('ACL Read', about, () =>
      asked('Read', 'Group', groupId, async () => {
        await probe.mayJoin(groupId)
        return { detail: 'allowed', value: true }
      })
    )
  }
  await line.run('group join', 'a group of our own', async () => {
    try {
      return { detail: `joined and left ${await probe.joinOwnGroup(topic ?? 'millrace-doctor')}`, value: undefined }
    } catch (error) {
      // Rights are given by name: a group that nobody knows of may well be refused.
      if (error instanceof KafkaRefusal && error.code === errorCode.groupAuthorizationFailed) {
        if (mayRead === true) throw new NotDone("groups of other names are not ours to join; the mapping's own is")
        if (groupId === undefined)
          throw new NotDone('the brokers let us join no group of any name: name one with --group')
      }
      throw error
    }
  })
  await line.run('ACL DescribeConfigs', 'cluster', async () => {
    const may = await probe.mayDescribeConfigs()
    if (may === undefined) throw new NotDone('the brokers are too old to be asked')
    if (!may) throw new NotDone("not allowed; AWS's own pollers need it, Millrace does not")
    return { detail: 'allowed', value: undefined }
  })
}

async function examineDestinationTopic(probe: ClusterProbe, { destination }: Patient, line: Line): Promise<void> {
  if (destination?.kind !== 'kafka') return
  const { topic } = destination
  const known = await line.run('destination', `kafka://${topic}`, () =>
    asked('Describe', 'Topic', topic, () => topicFinding(probe, topic))
  )
  if (known === undefined) return line.skip('ACL Write', `topic ${topic}`, 'the topic is not seen')
  await examineOperation('Write', topic, known, line)
}

function skipRest({ topic, destination }: Patient, line: Line, why: string): void {
  for (const step of ['metadata', 'group join']) line.skip(step, undefined, why)
  for (const step of ['topic', 'record']) line.skip(step, topic, why)
  if (destination?.kind === 'kafka') line.skip('destination', `kafka://${destination.topic}`, why)
}

/** Names the right that is missing. */
async function asked<T>(operation: string, type: 'Topic' | 'Group', name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (isDenial(error))
      throw new Complaint((error as Error).message, aclAdvice(operation, type, name), { cause: error })
    throw error
  }
}

const isDenial = (error: unknown): boolean =>
  (error instanceof KafkaRefusal &&
    (error.code === errorCode.topicAuthorizationFailed || error.code === errorCode.groupAuthorizationFailed)) ||
  (error instanceof Error && (error as { kind?: unknown }).kind === 'authorization')

const iamActions: Readonly<Record<string, string>> = {
  'Describe Topic': 'DescribeTopic',
  'Read Topic': 'ReadData',
  'Write Topic': 'WriteData',
  'Describe Group': 'DescribeGroup',
  'Read Group': 'AlterGroup'
}

const aclAdvice = (operation: string, type: 'Topic' | 'Group', name: string): string =>
  `Allow it: kafka-acls.sh --add --allow-principal User:… --operation ${operation} --${type.toLowerCase()} ${name} (with IAM kafka-cluster:${iamActions[`${operation} ${type}`]}).`

const nameOf = ({ host, port }: BrokerAddress): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

const found = <T>(values: readonly (T | undefined)[]): T[] => values.filter(value => value !== undefined)
