import { MillraceError } from '../../core/errors.ts'
import type { EventSource } from '../../core/mapping/mapping.ts'
import type { ClusterDirectory } from '../../ports/clusters.ts'
import type { ClusterAddress } from '../../ports/consumer.ts'

/** Finds the brokers of an MSK ARN in the configuration's `clusters`, for those without the MSK API. */
export class ConfiguredClusters implements ClusterDirectory {
  readonly #byArn: ReadonlyMap<string, readonly string[]>

  /** Plaintext brokers by MSK ARN. */
  constructor(byArn: Readonly<Record<string, { readonly plaintext: readonly string[] }>>) {
    this.#byArn = new Map(Object.entries(byArn).map(([arn, { plaintext }]) => [arn, plaintext]))
  }

  address(source: EventSource): Promise<ClusterAddress> {
    if (source.kind === 'self-managed') return Promise.resolve({ bootstrapServers: source.bootstrapServers })
    const bootstrapServers = this.#byArn.get(source.arn)
    return bootstrapServers === undefined || bootstrapServers.length === 0
      ? Promise.reject(new MillraceError('MILL_CLUSTER_UNKNOWN', [source.arn]))
      : Promise.resolve({ bootstrapServers })
  }
}
