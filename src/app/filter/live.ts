import { AwsCredentialChain } from '../../adapters/aws/credentials.ts'
import { systemClock } from '../../adapters/host/system-clock.ts'
import { TopicUnreadable } from '../../adapters/kafka/range-reader.ts'
import { readTopic } from '../../adapters/kafka/topic-reader.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import { openClusterSecrets } from '../../adapters/secrets/cluster-secrets.ts'
import { MillraceError } from '../../core/errors.ts'
import { AddressGuard } from '../../core/net/address-guard.ts'
import type { SourceWish } from '../../ports/clusters.ts'
import { openClusters } from '../clusters.ts'
import { refusedRanges } from '../refused-ranges.ts'
import { loadConfig } from '../config.ts'
import type { Io } from '../io.ts'
import { MappingsApi } from '../mappings/api.ts'
import type { FilterAction, Mismatch } from './flags.ts'
import { LiveTally, type LiveAccount } from './live-account.ts'
import { Progress } from './progress.ts'
import { recordPatterns } from './patterns.ts'

type LiveAction = FilterAction & { readonly kind: 'live' }

/** What is read, and by which patterns. */
interface Target {
  readonly topic: string
  readonly wish: SourceWish
  readonly patterns: readonly string[]
  readonly mismatch: Mismatch
}

/**
 * Looks at the newest records of a topic as somebody who looks on: no group, no commits. Rejects with `MILL_TOPIC_UNKNOWN`,
 * `MILL_TOPIC_UNREADABLE`, `MILL_FILTER_…`, and what the API, the configuration and AWS refuse with.
 */
export async function runLive(action: LiveAction, patternTexts: readonly string[], io: Io): Promise<LiveAccount> {
  // What is wrong with a pattern is told before anything is asked of anybody.
  const given = recordPatterns(patternTexts)
  const { config, warnings } = await loadConfig({ cwd: io.cwd, env: io.env, configFile: action.configFile })
  for (const warning of warnings) io.stderr.write(`millrace: ${warning}\n`)
  const target = await targetOf(action, patternTexts, io)
  const aws = new AwsCredentialChain(systemClock)
  const cluster = await openClusters(config, { aws, clock: systemClock }).address(target.wish)
  const guard = new AddressGuard(refusedRanges(config))
  const secrets = openClusterSecrets({
    aws,
    clock: systemClock,
    environment: io.env,
    strictAws: config.strictAws,
    guard
  })
  const tally = new LiveTally(target.topic, given.length > 0 ? given : recordPatterns(target.patterns), target.mismatch)
  using progress = new Progress(io, action.last)
  const blocks = readTopic(
    {
      cluster,
      clientId: 'millrace-filter-test',
      topic: target.topic,
      from: { last: action.last },
      follow: false,
      signal: io.stop,
      problem: problem => {
        if (problem !== undefined) io.stderr.write(`millrace: reading waits: ${problem.message}\n`)
      }
    },
    { clock: systemClock, log: silentLog, secrets, guard }
  )
  try {
    for await (const block of blocks) {
      tally.look(block)
      block.finish(block.count)
      progress.at(tally.records)
    }
  } catch (error) {
    if (!(error instanceof TopicUnreadable)) throw error
    const code = error.kind === 'unknown-topic' ? 'MILL_TOPIC_UNKNOWN' : 'MILL_TOPIC_UNREADABLE'
    throw new MillraceError(code, [error.message], { cause: error })
  }
  return tally.account()
}

async function targetOf(action: LiveAction, patterns: readonly string[], io: Io): Promise<Target> {
  const { source } = action
  if (source.kind === 'mapping') return targetOfMapping(action, source.uuid, patterns, io)
  const { topic, cluster, sourceAccess } = source
  return {
    topic,
    patterns,
    mismatch: action.mismatch ?? 'pass',
    wish: {
      source:
        typeof cluster === 'string'
          ? { kind: 'msk', arn: cluster }
          : { kind: 'self-managed', bootstrapServers: cluster },
      sourceAccess,
      tags: {}
    }
  }
}

async function targetOfMapping(action: LiveAction, uuid: string, patterns: readonly string[], io: Io): Promise<Target> {
  using api = await MappingsApi.open(action.connection, io)
  const mapping = await api.get(uuid)
  const tags = await api.tags(mapping.EventSourceMappingArn ?? '')
  const own = mapping.FilterCriteria?.Filters?.map(({ Pattern = '' }) => Pattern) ?? []
  if (patterns.length === 0 && own.length === 0)
    throw new MillraceError('MILL_FILTER_INPUT', [`The mapping ${uuid} has no filters: name a pattern with --pattern.`])
  return {
    topic: mapping.Topics?.[0] ?? '',
    patterns: patterns.length > 0 ? patterns : own,
    mismatch: action.mismatch ?? (tags['millrace:filter-mismatch'] === 'drop' ? 'drop' : 'pass'),
    wish: {
      source:
        mapping.EventSourceArn === undefined
          ? {
              kind: 'self-managed',
              bootstrapServers: mapping.SelfManagedEventSource?.Endpoints?.['KAFKA_BOOTSTRAP_SERVERS'] ?? []
            }
          : { kind: 'msk', arn: mapping.EventSourceArn },
      sourceAccess: (mapping.SourceAccessConfigurations ?? []).map(({ Type = '', URI = '' }) => ({ Type, URI })),
      tags
    }
  }
}
