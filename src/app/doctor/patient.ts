import { parseDestination, type DestinationTarget } from '../../core/destination/target.ts'
import type { SourceWish } from '../../ports/clusters.ts'
import type { Io } from '../io.ts'
import { MappingsApi } from '../mappings/api.ts'
import { sourceOf } from '../policy/subject.ts'
import type { DoctorFlags, DoctorSubject } from './flags.ts'

/** What is examined. */
export interface Patient {
  readonly uuid?: string
  readonly wish: SourceWish
  readonly topic?: string
  readonly groupId?: string
  /** As it was written: a name or an ARN. */
  readonly functionName?: string
  readonly destination?: DestinationTarget
  /** The API that told of the mapping; its clock can be looked at. */
  readonly api?: string
}

/** Reads what there is to know. Rejects with what the API refuses with, and what a destination cannot be. */
export async function findPatient(
  { subject, connection }: DoctorFlags,
  io: Pick<Io, 'env' | 'cwd' | 'stop'>
): Promise<Patient> {
  if (subject.kind === 'cluster') return fromFlags(subject)
  using api = await MappingsApi.open(connection, io)
  const mapping = await api.get(subject.uuid)
  const tags = await api.tags(mapping.EventSourceMappingArn ?? '')
  const group = mapping.AmazonManagedKafkaEventSourceConfig ?? mapping.SelfManagedKafkaEventSourceConfig
  const [topic] = mapping.Topics ?? []
  const destination = mapping.DestinationConfig?.OnFailure?.Destination
  return {
    uuid: subject.uuid,
    api: api.endpoint,
    wish: {
      source: sourceOf(mapping),
      sourceAccess: (mapping.SourceAccessConfigurations ?? []).map(({ Type = '', URI = '' }) => ({ Type, URI })),
      tags
    },
    groupId: group?.ConsumerGroupId ?? subject.uuid,
    ...(topic === undefined ? {} : { topic }),
    ...(mapping.FunctionArn === undefined ? {} : { functionName: mapping.FunctionArn }),
    ...(destination === undefined ? {} : { destination: destinationOf(destination, topic) })
  }
}

function fromFlags({ cluster, access, tags, topic, groupId, functionName, destination }: ClusterSubject): Patient {
  return {
    wish: {
      source:
        typeof cluster === 'string'
          ? { kind: 'msk', arn: cluster }
          : { kind: 'self-managed', bootstrapServers: cluster },
      sourceAccess: access,
      tags
    },
    ...(topic === undefined ? {} : { topic }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(functionName === undefined ? {} : { functionName }),
    ...(destination === undefined ? {} : { destination: destinationOf(destination, topic) })
  }
}

type ClusterSubject = DoctorSubject & { readonly kind: 'cluster' }

const destinationOf = (text: string, sourceTopic = ''): DestinationTarget =>
  parseDestination(text, { sourceTopic, strictAws: false, provisioned: true })
