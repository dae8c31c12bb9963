import type { KafkaClient } from '@aws-sdk/client-kafka'
import { MillraceError } from '../../core/errors.ts'
import { awsFailure } from '../../core/source/aws-failure.ts'
import { brokersOf } from '../../core/source/broker-choice.ts'
import type { BrokerNetwork, ClusterOffer } from '../../core/source/broker-choice.ts'
import type { AwsCredentials } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AwsIdentity } from '../../ports/cluster-security.ts'

export interface MskClustersDeps {
  readonly aws: AwsCredentials
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** From where the brokers of this account are reached. */
  readonly network: Exclude<BrokerNetwork, 'vpc-connection'>
}

interface Entry {
  readonly offer: Promise<ClusterOffer>
  readonly untilMs: number
}

/** What MSK told is believed this long, unless the brokers turn out to be gone. */
const keptMs = 5 * 60_000
/** For all calls about one cluster together. */
const patienceMs = 10_000

type MskModule = typeof import('@aws-sdk/client-kafka')

/** Asks Amazon MSK what its clusters offer. One question about a cluster is under way at a time; its client is loaded when first needed. */
export class MskClusters {
  readonly #deps: MskClustersDeps
  readonly #entries = new Map<string, Entry>()
  readonly #clients = new Map<string, Promise<KafkaClient>>()

  constructor(deps: MskClustersDeps) {
    this.#deps = deps
  }

  /** Of the ARN of a cluster or a VPC connection. Rejects as `ClusterDirectory.address` does. */
  offer(arn: string, identity: AwsIdentity): Promise<ClusterOffer> {
    const key = `${arn} ${keyOf(identity)}`
    const nowMs = this.#deps.clock.monotonicMs()
    const known = this.#entries.get(key)
    if (known !== undefined && nowMs < known.untilMs) return known.offer
    const offer = this.#ask(arn, identity)
    const entry: Entry = { offer, untilMs: nowMs + keptMs }
    this.#entries.set(key, entry)
    offer.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    })
    return offer
  }

  forget(arn: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(`${arn} `)) this.#entries.delete(key)
  }

  async #ask(arn: string, identity: AwsIdentity): Promise<ClusterOffer> {
    const msk = await import('@aws-sdk/client-kafka')
    const call: Call = { msk, client: await this.#client(msk, identity), signal: AbortSignal.timeout(patienceMs), arn }
    if (!/:vpc-connection\//.test(arn)) return ownCluster(call, this.#deps.network)
    return connectedCluster(call)
  }

  #client(msk: MskModule, identity: AwsIdentity): Promise<KafkaClient> {
    const key = keyOf(identity)
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    const made = Promise.resolve(
      new msk.KafkaClient({
        region: identity.region,
        credentials: () => this.#deps.aws.keys(identity),
        maxAttempts: 3,
        requestHandler: { connectionTimeout: 3_000, requestTimeout: 5_000, throwOnRequestTimeout: true }
      })
    )
    this.#clients.set(key, made)
    return made
  }
}

const keyOf = ({ region, roleArn, externalId }: AwsIdentity): string => `${region} ${roleArn ?? ''} ${externalId ?? ''}`

interface Call {
  readonly msk: MskModule
  readonly client: KafkaClient
  readonly signal: AbortSignal
  /** As the mapping names it. */
  readonly arn: string
}

async function ownCluster(call: Call, network: BrokerNetwork): Promise<ClusterOffer> {
  const cluster = await describeCluster(call, call.arn)
  return { ...cluster, network, brokers: await bootstrapBrokers(call, call.arn, network) }
}

/** A cluster of another account. Its owner may let us connect without letting us look at it: the connection says enough. */
async function connectedCluster(call: Call): Promise<ClusterOffer> {
  const command = new call.msk.DescribeVpcConnectionCommand({ Arn: call.arn })
  const connection = await asked(call, 'kafka:DescribeVpcConnection', () =>
    call.client.send(command, { abortSignal: call.signal })
  )
  const { State: state = 'AVAILABLE', TargetClusterArn: target, Authentication: method = '' } = connection
  if (state === 'CREATING') throw new MillraceError('MILL_CLUSTER_BUSY', [call.arn, 'is a VPC connection being made'])
  if (state !== 'AVAILABLE') throw unfit(call, `is a VPC connection in state ${state}`)
  if (target === undefined) throw unfit(call, 'is a VPC connection that leads to no cluster')
  const network = 'vpc-connection'
  const brokers = await bootstrapBrokers(call, target, network)
  const authentication = {
    iam: /IAM/i.test(method),
    scram: /SCRAM/i.test(method),
    mutualTls: /TLS/i.test(method),
    none: false
  }
  try {
    const { serverless } = await describeCluster(call, target)
    return { network, brokers, serverless, authentication }
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MILL_AWS_DENIED')
      return { network, brokers, serverless: false, authentication }
    throw error
  }
}

async function describeCluster(call: Call, arn: string): Promise<Pick<ClusterOffer, 'serverless' | 'authentication'>> {
  const command = new call.msk.DescribeClusterV2Command({ ClusterArn: arn })
  const { ClusterInfo: cluster } = await asked(call, 'kafka:DescribeClusterV2', () =>
    call.client.send(command, { abortSignal: call.signal })
  )
  if (cluster?.State === 'CREATING')
    throw new MillraceError('MILL_CLUSTER_BUSY', [call.arn, 'is being made (state CREATING)'])
  if (cluster?.State === 'DELETING') throw unfit(call, 'is being deleted (state DELETING)')
  if (cluster?.State === 'FAILED') throw unfit(call, 'could not be made (state FAILED): see the MSK console')
  if (cluster?.ClusterType === 'SERVERLESS') return { serverless: true, authentication: { iam: true } }
  const { Sasl: sasl, Tls: tls, Unauthenticated: none } = cluster?.Provisioned?.ClientAuthentication ?? {}
  return {
    serverless: false,
    authentication: {
      ...known('scram', sasl?.Scram?.Enabled),
      ...known('iam', sasl?.Iam?.Enabled),
      ...known('mutualTls', tls?.Enabled),
      ...known('none', none?.Enabled)
    }
  }
}

async function bootstrapBrokers(call: Call, arn: string, network: BrokerNetwork): Promise<ClusterOffer['brokers']> {
  const command = new call.msk.GetBootstrapBrokersCommand({ ClusterArn: arn })
  const answer = await asked(call, 'kafka:GetBootstrapBrokers', () =>
    call.client.send(command, { abortSignal: call.signal })
  )
  return brokersOf(answer, network)
}

const known = <K extends string>(name: K, value: boolean | undefined): { readonly [P in K]?: boolean } =>
  value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: boolean })

const unfit = ({ arn }: Call, what: string): MillraceError => new MillraceError('MILL_CLUSTER_UNFIT', [arn, what])

async function asked<T>(call: Call, permission: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    throw askedError(error, call.arn, permission)
  }
}

/** What AWS answered, in terms of the cluster that was asked for. */
function askedError(error: unknown, arn: string, permission: string): MillraceError {
  if (error instanceof MillraceError)
    return error.code === 'MILL_AWS_CREDENTIALS' ? unknown(arn, `MSK cannot be asked: ${error.message}`) : error
  const { kind, text } = awsFailure(error)
  switch (kind) {
    case 'missing':
      return unknown(arn, `MSK does not know it (${text})`)
    case 'refused':
      return unknown(arn, `MSK says ${text}`)
    case 'credentials':
      return unknown(arn, `MSK does not take the AWS credentials (${text})`)
    case 'denied':
      return new MillraceError('MILL_AWS_DENIED', [`the cluster ${arn}`, permission, text])
    case 'busy':
    case 'unreachable':
      return new MillraceError('MILL_AWS_UNREACHABLE', ['MSK', `the cluster ${arn}`, text])
    default:
      throw new Error(`unknown failure ${kind satisfies never}`)
  }
}

const unknown = (arn: string, why: string): MillraceError =>
  new MillraceError('MILL_CLUSTER_UNKNOWN', [arn, why.replace(/[.:]$/, '')])
