import { after, before } from 'node:test'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { ApiAccess } from '../../support/mapping-api.ts'
import { MillraceProcess } from '../../support/millrace-process.ts'

export const mskArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/clients/22222222-2222-2222-2222-222222222222-2'
export const functionArn = (name: string): string => `arn:aws:lambda:us-east-1:000000000000:function:${name}`

/** The real program on an embedded broker, for a suite that looks at it through a foreign client. */
export class ClientWorld {
  readonly #broker = new EmbeddedBroker()
  #millrace: MillraceProcess | undefined
  #access: ApiAccess | undefined

  /** Call it in the body of the suite. `topics` are empty, so that no function is ever called. */
  constructor(topics: readonly string[]) {
    before(async () => {
      await this.#broker.start()
      for (const topic of topics) this.#broker.createTopic(topic, { partitions: 1 })
      const nowhere = { http: 'http://127.0.0.1:9/' }
      this.#millrace = await MillraceProcess.start({
        config: {
          functions: { first: nowhere, second: nowhere },
          clusters: { [mskArn]: { plaintext: [this.bootstrap] } }
        }
      })
      this.#access = { url: this.#millrace.url, ...(await this.#millrace.credentials()) }
    })
    after(async () => {
      await this.#millrace?.close()
      await this.#broker.stop()
    })
  }

  get bootstrap(): string {
    return this.#broker.bootstrap
  }

  get access(): ApiAccess {
    if (this.#access === undefined) throw new Error('the server has not been started')
    return this.#access
  }
}
