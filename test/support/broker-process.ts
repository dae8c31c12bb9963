import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { KafkaClient } from './kafka/kafka-client.ts'
import type { KafkaUnderTest } from './written-topic.ts'

/** `millrace broker` as a process of its own, which may fall silent. Ends with the test process. */
export class BrokerProcess implements AsyncDisposable {
  readonly kafka: KafkaUnderTest
  readonly #child: ChildProcess
  readonly #killIt = () => void this.#child.kill('SIGKILL')

  static async start(): Promise<BrokerProcess> {
    const child = spawn(process.execPath, [resolve('src/app/main.ts'), 'broker', '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const [bootstrap] = (await once(createInterface(child.stdout), 'line')) as [string]
    return new BrokerProcess(child, bootstrap)
  }

  private constructor(child: ChildProcess, bootstrap: string) {
    const client = new KafkaClient(() => [bootstrap])
    this.#child = child
    process.once('exit', this.#killIt)
    this.kafka = {
      bootstrap: [bootstrap],
      createTopic: (name, partitions) => client.createTopic(name, { partitions }),
      append: (topic, partition, values) =>
        client.produce(
          topic,
          values.map(value => ({ value, partition }))
        ),
      async committed(groupId, topic) {
        const found = await client.committed(groupId, topic)
        return new Map([...found].map(([partition, { offset }]) => [partition, Number(offset)]))
      }
    }
  }

  /** SIGSTOP: connections stay and are made, and nothing is answered any more. */
  fallSilent(): void {
    this.#child.kill('SIGSTOP')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#killIt)
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
