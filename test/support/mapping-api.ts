import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  type EventSourceMappingConfiguration,
  type ListEventSourceMappingsCommandInput,
  type UpdateEventSourceMappingCommandInput
} from '@aws-sdk/client-lambda'
import { eventually } from './poll.ts'

export interface ApiAccess {
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** AWS's operations on event source mappings, whichever client makes the calls. What is refused rejects with an `ApiError`. */
export interface MappingApi {
  create(input: CreateEventSourceMappingCommandInput): Promise<EventSourceMappingConfiguration>
  get(UUID: string): Promise<EventSourceMappingConfiguration>
  list(input: ListEventSourceMappingsCommandInput): Promise<readonly EventSourceMappingConfiguration[]>
  update(input: UpdateEventSourceMappingCommandInput): Promise<EventSourceMappingConfiguration>
  delete(UUID: string): Promise<EventSourceMappingConfiguration>
}

/** AWS's name of the refusal, and what it says. */
export class ApiError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiError'
    this.code = code
  }
}

/** The calls of `@aws-sdk/client-lambda`. */
export function sdkApi({ url, accessKeyId, secretAccessKey }: ApiAccess): MappingApi {
  const call = async <T>(use: (client: LambdaClient) => Promise<T>): Promise<T> => {
    const client = new LambdaClient({
      endpoint: url,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: { accessKeyId, secretAccessKey }
    })
    try {
      return await use(client)
    } catch (error) {
      const { name, message } = error as Error
      throw new ApiError(name, message, { cause: error })
    } finally {
      client.destroy()
    }
  }
  return {
    create: input => call(client => client.send(new CreateEventSourceMappingCommand(input))),
    get: UUID => call(client => client.send(new GetEventSourceMappingCommand({ UUID }))),
    list: async input => {
      const { EventSourceMappings } = await call(client => client.send(new ListEventSourceMappingsCommand(input)))
      return EventSourceMappings ?? []
    },
    update: input => call(client => client.send(new UpdateEventSourceMappingCommand(input))),
    delete: UUID => call(client => client.send(new DeleteEventSourceMappingCommand({ UUID })))
  }
}

/** Asks until the mapping satisfies `check`, and returns it then. */
export async function mappingWhen(
  api: MappingApi,
  UUID: string,
  what: string,
  check: (mapping: EventSourceMappingConfiguration) => boolean,
  timeoutMs = 20_000
): Promise<EventSourceMappingConfiguration> {
  let last: EventSourceMappingConfiguration | undefined
  const describe = () =>
    `the mapping is ${what}; it is ${last?.State} (${last?.StateTransitionReason}), ${last?.LastProcessingResult}`
  return eventually(
    async () => {
      last = await api.get(UUID)
      return check(last) ? last : undefined
    },
    { describe, timeoutMs }
  )
}

export const inState = (api: MappingApi, UUID: string, state: string): Promise<EventSourceMappingConfiguration> =>
  mappingWhen(api, UUID, state, ({ State }) => State === state)
