import type {
  CreateEventSourceMappingCommandInput,
  ListEventSourceMappingsCommandInput,
  UpdateEventSourceMappingCommandInput
} from '@aws-sdk/client-lambda'

/** How data is written: `table` for people, `json` as the API answers, `text` as lines of fields with tabs between. */
export const formats = ['json', 'table', 'text'] as const
export type Format = (typeof formats)[number]

/** Where the API is and with which key it is called. */
export interface Connection {
  /** `--endpoint-url`; else variables of the environment, else a server on this machine. */
  readonly endpointUrl?: string
  /** `--data-dir`: the server's, whose key is used. */
  readonly dataDir?: string
}

type ListFilter = Pick<ListEventSourceMappingsCommandInput, 'FunctionName' | 'EventSourceArn'>

export type MappingsAction =
  | { readonly kind: 'list'; readonly filter: ListFilter }
  | { readonly kind: 'get'; readonly uuid: string }
  | { readonly kind: 'create'; readonly input: CreateEventSourceMappingCommandInput; readonly wait: boolean }
  | { readonly kind: 'update'; readonly input: UpdateEventSourceMappingCommandInput; readonly wait: boolean }
  | { readonly kind: 'delete'; readonly uuid: string; readonly wait: boolean }
  | { readonly kind: 'history'; readonly uuid: string }
  /** All of them, where no UUID is given. */
  | { readonly kind: 'watch'; readonly uuid?: string }

/** One `millrace mappings …`, as it stands on the command line. */
export interface MappingsFlags {
  readonly connection: Connection
  /** Undefined: a table on a terminal, JSON elsewhere. */
  readonly output: Format | undefined
  readonly action: MappingsAction
}
