import { ClusterFinder } from '../adapters/clusters/cluster-finder.ts'
import { MskClusters } from '../adapters/clusters/msk-clusters.ts'
import type { AwsCredentials } from '../ports/aws-credentials.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterDirectory } from '../ports/clusters.ts'
import type { Config } from './config.ts'

/** Where event sources are found: in the configuration first, then in Amazon MSK. */
export function openClusters(
  { clusters, secrets, mskBrokers, allowSaslPlaintext }: Config,
  { aws, clock }: { readonly aws: AwsCredentials; readonly clock: Clock }
): ClusterDirectory {
  const msk = new MskClusters({ aws, clock, network: mskBrokers })
  return new ClusterFinder({ clusters, secrets, msk, rules: { allowSaslPlaintext } })
}

/** A directory that is not known yet; who asks waits for it. */
export const comingClusters = (coming: Promise<ClusterDirectory>): ClusterDirectory => ({
  address: async wish => (await coming).address(wish),
  gone: source => void coming.then(clusters => clusters.gone(source)).catch(() => undefined)
})
