import { resolve } from 'node:path'
import { after, before } from 'node:test'
import { HttpFunction } from '../support/http-function.ts'
import { sdkApi, type ApiAccess } from '../support/mapping-api.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import type { KafkaUnderTest } from '../support/written-topic.ts'
import type { NamedFunction } from './lifecycle.ts'

export const clusterArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1'

/** A server with two HTTP functions and a local one, for all tests of a suite; up when the first of them runs. */
export class LifecycleWorld {
  readonly #kafka: () => KafkaUnderTest
  readonly #doubles = new Map<string, HttpFunction>()
  #millrace: MillraceProcess | undefined
  #access: ApiAccess | undefined

  /** Call it in the body of the suite. `kafka` is asked when the first test begins. */
  constructor(kafka: () => KafkaUnderTest) {
    this.#kafka = kafka
    before(() => this.#start())
    after(() => this.#stop())
  }

  get kafka(): KafkaUnderTest {
    return this.#kafka()
  }

  get millrace(): MillraceProcess {
    if (this.#millrace === undefined) throw new Error('the server has not been started')
    return this.#millrace
  }

  /** With the credentials that the server made. */
  get access(): ApiAccess {
    if (this.#access === undefined) throw new Error('the server has not been started')
    return this.#access
  }

  get watch() {
    return sdkApi(this.access)
  }

  /** `http` and `other` are called over HTTP; `local` is a Node handler whose calls its double sees. */
  function(name: 'http' | 'other' | 'local'): NamedFunction {
    return { name, double: this.#doubles.get(name)! }
  }

  async #start(): Promise<void> {
    for (const name of ['http', 'other', 'local']) this.#doubles.set(name, await HttpFunction.open())
    const url = (name: string) => this.#doubles.get(name)!.url
    this.#millrace = await MillraceProcess.start({
      config: {
        functions: {
          http: { http: url('http') },
          other: { http: url('other') },
          local: {
            handler: `${resolve('test/fixtures/functions/forwarding')}.handler`,
            timeoutSeconds: 30,
            concurrency: 3,
            environment: { FORWARD_TO: url('local') }
          }
        },
        clusters: { [clusterArn]: { plaintext: [...this.kafka.bootstrap] } }
      }
    })
    this.#access = { url: this.#millrace.url, ...(await this.#millrace.credentials()) }
  }

  async #stop(): Promise<void> {
    await this.#millrace?.close()
    for (const double of this.#doubles.values()) await double.close()
  }
}
