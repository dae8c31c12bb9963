import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { kafkaJars } from './jars.ts'
import { javaArguments } from './java.ts'

const heapMiB = 96
const stopTimeoutMs = 40_000

export interface ConsoleConsumerOptions {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly groupId: string
  /** Properties of Kafka's Java consumer. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface PrintedRecord {
  readonly partition: number
  readonly offset: number
}

/** Kafka's own `kafka-console-consumer.sh` as a member of a group, which commits what it prints. Ends with the test process. */
export class ConsoleConsumer implements AsyncDisposable {
  readonly printed: PrintedRecord[] = []
  readonly #child: ChildProcess
  readonly #said: string[] = []
  readonly #killIt = () => void this.#child.kill('SIGKILL')

  private constructor(java: string, args: readonly string[]) {
    const child = spawn(java, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface(child.stdout).on('line', line => this.#heard(line))
    createInterface(child.stderr).on('line', line => this.#said.push(line))
    process.once('exit', this.#killIt)
    child.once('exit', () => process.off('exit', this.#killIt))
    this.#child = child
  }

  static async start({ bootstrap, topic, groupId, properties = {} }: ConsoleConsumerOptions): Promise<ConsoleConsumer> {
    const jars = await kafkaJars()
    if (!jars.available) throw new Error(jars.reason)
    const settings = Object.entries(properties).flatMap(([name, value]) => ['--command-property', `${name}=${value}`])
    const shown = ['offset=true', 'partition=true', 'value=false'].flatMap(what => [
      '--formatter-property',
      `print.${what}`
    ])
    const given = { 'bootstrap-server': bootstrap.join(), topic, group: groupId, 'isolation-level': 'read_committed' }
    return new ConsoleConsumer(jars.java, [
      ...javaArguments(jars.classPath, 'org.apache.kafka.tools.consumer.ConsoleConsumer', heapMiB),
      ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]),
      '--from-beginning',
      ...settings,
      ...shown
    ])
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it said beside the records. */
  get said(): string {
    return this.#said.join('\n')
  }

  /** SIGTERM: it commits, leaves and ends. */
  async stop(): Promise<void> {
    if (!this.running) throw new Error(`the console consumer has ended by itself\n${this.said}`)
    const ended = once(this.#child, 'close', { signal: AbortSignal.timeout(stopTimeoutMs) })
    this.#child.kill('SIGTERM')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.running) return
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await ended
  }

  #heard(line: string): void {
    const [, partition, offset] = /^Partition:(\d+)\tOffset:(\d+)$/.exec(line) ?? []
    if (partition === undefined) this.#said.push(line)
    else this.printed.push({ partition: Number(partition), offset: Number(offset) })
  }
}
