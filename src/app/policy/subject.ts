import { parseDestination } from '../../core/destination/target.ts'
import type { EventSource } from '../../core/mapping/mapping.ts'
import type { PolicySubject } from '../../core/policy/subject.ts'
import type { Mapping } from '../mappings/api.ts'

/** What the API says of a mapping, as far as rights go. */
export function subjectOf(mapping: Mapping): PolicySubject {
  const { UUID = '', FunctionArn = '', Topics = [], SourceAccessConfigurations = [] } = mapping
  const group = mapping.AmazonManagedKafkaEventSourceConfig ?? mapping.SelfManagedKafkaEventSourceConfig
  const [topic = ''] = Topics
  const destination = mapping.DestinationConfig?.OnFailure?.Destination
  return {
    uuid: UUID,
    functionArn: FunctionArn,
    source: sourceOf(mapping),
    topic,
    groupId: group?.ConsumerGroupId ?? UUID,
    access: SourceAccessConfigurations.flatMap(({ Type, URI }) =>
      Type === undefined || URI === undefined ? [] : [{ Type, URI }]
    ),
    ...(destination === undefined
      ? {}
      : { destination: parseDestination(destination, { sourceTopic: topic, strictAws: false, provisioned: true }) }),
    provisioned: mapping.ProvisionedPollerConfig !== undefined
  }
}

export function sourceOf({ EventSourceArn, SelfManagedEventSource }: Mapping): EventSource {
  if (EventSourceArn !== undefined) return { kind: 'msk', arn: EventSourceArn }
  return { kind: 'self-managed', bootstrapServers: SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS ?? [] }
}
