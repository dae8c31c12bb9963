import { MillraceError } from '../../core/errors.ts'
import { assumedRole } from '../../core/mapping/assumed-role.ts'
import type { EventSource } from '../../core/mapping/mapping.ts'
import type { Tags } from '../../core/mapping/tags.ts'
import { chooseBrokers } from '../../core/source/broker-choice.ts'
import type { BrokersByMethod, ClusterOffer } from '../../core/source/broker-choice.ts'
import { selfManagedPlan } from '../../core/source/security-plan.ts'
import type { PlanRules, SecurityPlan } from '../../core/source/security-plan.ts'
import type { AwsIdentity, ClusterSecurity, SecretReference } from '../../ports/cluster-security.ts'
import type { ClusterDirectory, SourceWish } from '../../ports/clusters.ts'
import type { ClusterAddress } from '../../ports/consumer.ts'
import type { MskClusters } from './msk-clusters.ts'

/** Brokers of a cluster by how they are reached; `rootCa` is the path of a PEM file to trust them by. */
export type WrittenCluster = BrokersByMethod & { readonly rootCa?: string }

/** Where the configuration has a secret. */
export type WrittenSecret = Exclude<SecretReference['from'], { readonly kind: 'secrets-manager' }>

export interface ClusterFinderOptions {
  /** By MSK ARN. What stands here is not asked of MSK. */
  readonly clusters: Readonly<Record<string, WrittenCluster>>
  /** By secret ARN. What stands here is not asked of Secrets Manager. */
  readonly secrets: Readonly<Record<string, WrittenSecret>>
  readonly msk: Pick<MskClusters, 'offer' | 'forget'>
  readonly rules: PlanRules
}

/** Finds brokers in the mapping itself, in the configuration, and in Amazon MSK. */
export class ClusterFinder implements ClusterDirectory {
  readonly #options: ClusterFinderOptions
  readonly #clusters: ReadonlyMap<string, WrittenCluster>
  readonly #secrets: ReadonlyMap<string, WrittenSecret>

  constructor(options: ClusterFinderOptions) {
    this.#options = options
    this.#clusters = new Map(Object.entries(options.clusters))
    this.#secrets = new Map(Object.entries(options.secrets))
  }

  async address({ source, sourceAccess = [], tags }: SourceWish): Promise<ClusterAddress> {
    if (source.kind === 'self-managed') {
      const found = selfManagedPlan(sourceAccess, tags, this.#options.rules)
      if (found.kind === 'refused')
        throw new MillraceError('MILL_PARAMETER_INVALID', [`The cluster cannot be reached like this: ${found.reason}.`])
      return this.#address(source.bootstrapServers, found.plan, tags)
    }
    const region = regionOf(source.arn)
    const written = this.#clusters.get(source.arn)
    const offer: ClusterOffer =
      written === undefined
        ? await this.#options.msk.offer(source.arn, identityOf(region, tags))
        : { network: 'vpc', brokers: written, serverless: false, authentication: {} }
    const choice = chooseBrokers(sourceAccess, tags, offer)
    if (choice.kind === 'refused') throw new MillraceError('MILL_CLUSTER_UNFIT', [source.arn, choice.reason])
    const isTls = choice.plan.protocol === 'SSL' || choice.plan.protocol === 'SASL_SSL'
    const anchor: Partial<ClusterSecurity> =
      written?.rootCa === undefined || !isTls
        ? {}
        : { serverRootCa: { arn: `${source.arn} (rootCa)`, from: { kind: 'file', path: written.rootCa } } }
    return this.#address(choice.bootstrapServers, choice.plan, tags, region, anchor)
  }

  gone(source: EventSource): void {
    if (source.kind === 'msk') this.#options.msk.forget(source.arn)
  }

  #address(
    bootstrapServers: readonly string[],
    plan: SecurityPlan,
    tags: Tags,
    region = '',
    more: Partial<ClusterSecurity> = {}
  ): ClusterAddress {
    if (plan.protocol === 'PLAINTEXT') return { bootstrapServers }
    const reference = (uri: string): SecretReference => this.#reference(uri, tags)
    const { protocol, mechanism, login, clientCertificate, serverRootCa, iam, oidc } = plan
    const security: ClusterSecurity = {
      protocol,
      ...(mechanism === undefined ? {} : { mechanism }),
      ...(login === undefined ? {} : { login: reference(login) }),
      ...(clientCertificate === undefined ? {} : { clientCertificate: reference(clientCertificate) }),
      ...(serverRootCa === undefined ? {} : { serverRootCa: reference(serverRootCa) }),
      ...(iam === undefined ? {} : { iam: identityOf(region, tags) }),
      ...(oidc === undefined ? {} : { oidc: { ...oidc, client: reference(oidc.client) } }),
      ...more
    }
    return { bootstrapServers, security }
  }

  #reference(uri: string, tags: Tags): SecretReference {
    const written = this.#secrets.get(uri)
    return {
      arn: uri,
      from: written ?? { kind: 'secrets-manager', ...identityOf(regionOf(uri), tags) }
    }
  }
}

/** `arn:partition:service:region:account:…` */
const regionOf = (arn: string): string => arn.split(':')[3] ?? ''

/** What AWS would ask for with the function's execution role, the mapping's role asks for, or Millrace itself. */
const identityOf = (region: string, tags: Tags): AwsIdentity => ({ region, ...assumedRole(tags) })
