import type { MappingCredentials } from '../../ports/aws-credentials.ts'

/** Most time a request may take, with its one repetition; the caller tries again with growing pauses. */
export const requestLimits = { messageMs: 30_000, objectMs: 120_000 } as const

/** What all clients of AWS have in common. Endpoints come by the SDK's own chain: `AWS_ENDPOINT_URL*`. */
export const clientConfig = (region: string, { credentials, role }: MappingCredentials) => ({
  region,
  credentials: () => credentials.keys({ region, ...role }),
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 5_000 }
})

interface Opened<Sdk, Client> {
  readonly sdk: Sdk
  readonly client: Client
}

/** A client whose package is imported when it is first needed. */
export class LazyClient<Sdk, Client extends { destroy: () => void }> {
  readonly #load: () => Promise<Sdk>
  readonly #make: (sdk: Sdk) => Client
  #opened: Promise<Opened<Sdk, Client>> | undefined
  #client: Client | undefined
  #isClosed = false

  constructor(load: () => Promise<Sdk>, make: (sdk: Sdk) => Client) {
    this.#load = load
    this.#make = make
  }

  open(): Promise<Opened<Sdk, Client>> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  close(): void {
    this.#isClosed = true
    this.#client?.destroy()
  }

  async #open(): Promise<Opened<Sdk, Client>> {
    const sdk = await this.#load()
    if (this.#isClosed) throw new Error('the client is closed')
    this.#client = this.#make(sdk)
    return { sdk, client: this.#client }
  }
}
