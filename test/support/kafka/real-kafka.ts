import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../poll.ts'
import { BrokerProcess } from './broker-process.ts'
import { makeCertificates } from './certificates.ts'
import type { Certificates } from './certificates.ts'
import { freePorts } from './free-ports.ts'
import { kafkaJars } from './jars.ts'
import { javaArguments } from './java.ts'
import { brokerMetadata, KafkaClient } from './kafka-client.ts'
import { kafkaTools } from './kafka-tools.ts'
import { Reaper } from './reaper.ts'
import { scramArguments, serverProperties } from './server-properties.ts'
import type { BrokerPlace, ListenerName } from './server-properties.ts'
import { TestIssuer } from './test-issuer.ts'

const startTimeoutMs = 60_000
const brokerHeapMiB = 512
// Any will do: each cluster of a test lives alone.
const clusterId = 'MillraceTestCluster000'

export interface RealKafkaOptions {
  readonly brokers?: 1 | 3
  /** Beside `plaintext`, which is always there. */
  readonly listeners?: readonly ListenerName[]
  /** For what is measured: brokers start slower and run at full speed. */
  readonly fullCompiler?: boolean
  /** Lines of server.properties that win over ours, on every broker. */
  readonly serverProperties?: Readonly<Record<string, string>>
}

interface Broker {
  readonly place: BrokerPlace
  readonly process: BrokerProcess
}

/** All that exists between start and stop. */
interface Running {
  readonly folder: string
  readonly reaper: Reaper
  readonly certificates: Certificates | undefined
  readonly issuer: TestIssuer | undefined
  readonly brokers: readonly Broker[]
}

/**
 * A real Apache Kafka for a test: one or three brokers in KRaft combined mode on free ports of 127.0.0.1, their data in a
 * temporary folder. Brokers are numbered from 1, which is their node id. However the test process ends, they end with it.
 */
export class RealKafka implements AsyncDisposable {
  readonly #options: RealKafkaOptions
  readonly #client = new KafkaClient(() => this.#answering())
  #running: Running | undefined

  constructor(options: RealKafkaOptions = {}) {
    this.#options = options
  }

  /** Returns when every broker answers and sees all others. On failure the logs are shown and nothing is left behind. */
  async start(): Promise<void> {
    if (this.#running !== undefined) throw new Error('this Kafka has been started already')
    const jars = await kafkaJars()
    if (!jars.available) throw new Error(jars.reason)
    const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-'))
    const reaper = new Reaper(folder)
    const { listeners = [], fullCompiler } = this.#options
    const issuer = listeners.some(name => name.startsWith('sasl')) ? await TestIssuer.open() : undefined
    try {
      const tokenUrls = issuer === undefined ? [] : [issuer.jwksUrl]
      const java = javaArguments(jars.classPath, 'kafka.Kafka', brokerHeapMiB, { fullCompiler, tokenUrls })
      const args = (properties: string) => [...java, properties]
      const { places, certificates } = await this.#prepare(folder, issuer)
      const brokers = places.map(place => ({
        place,
        process: new BrokerProcess(`broker-${place.nodeId}`, folder, jars.java, args(propertiesFile(folder, place)))
      }))
      this.#running = { folder, reaper, certificates, issuer, brokers }
      for (const { process } of brokers) process.launch()
      await Promise.all(brokers.map(broker => this.#answers(broker, brokers.length)))
    } catch (error) {
      if (this.#running !== undefined) this.showLogs()
      this.#running = undefined
      issuer?.close()
      await reaper.reap()
      throw error
    }
  }

  /** Kills every broker and removes the data. Safe before start and twice. */
  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    await Promise.all(running.brokers.map(({ process }) => process.kill()))
    running.issuer?.close()
    await rm(running.folder, { recursive: true, force: true })
    await running.reaper.reap()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get started(): boolean {
    return this.#running !== undefined
  }

  /** `host:port` of every broker, also of those that are down. */
  bootstrap(listener: ListenerName = 'plaintext'): string[] {
    return this.#started().brokers.map(({ place }) => {
      const port = place.ports.get(listener)
      if (port === undefined) throw new Error(`no listener '${listener}': name it in the fixture's option 'listeners'`)
      return `127.0.0.1:${port}`
    })
  }

  /** PEM files; there with any listener but `plaintext`. */
  get certificates(): Certificates {
    const { certificates } = this.#started()
    if (certificates === undefined) throw new Error("no certificates: name 'tls', 'mtls' or 'sasl' in 'listeners'")
    return certificates
  }

  /** Whose tokens the brokers take; there with the SASL listeners. */
  get issuer(): TestIssuer {
    const { issuer } = this.#started()
    if (issuer === undefined) throw new Error("no issuer: name 'sasl' in 'listeners'")
    return issuer
  }

  readonly createTopic: KafkaClient['createTopic'] = (name, options) => this.#client.createTopic(name, options)
  readonly addPartitions: KafkaClient['addPartitions'] = (name, total) => this.#client.addPartitions(name, total)
  readonly deleteTopic: KafkaClient['deleteTopic'] = name => this.#client.deleteTopic(name)
  readonly produce: KafkaClient['produce'] = (topic, messages, compression) =>
    this.#client.produce(topic, messages, compression)
  readonly committed: KafkaClient['committed'] = (groupId, topic) => this.#client.committed(groupId, topic)
  readonly endOffsets: KafkaClient['endOffsets'] = topic => this.#client.endOffsets(topic)
  readonly leaders: KafkaClient['leaders'] = topic => this.#client.leaders(topic)

  /** Asks the broker to end (SIGTERM), so that it hands its partitions over, and waits until it has. */
  async stopBroker(nodeId: number): Promise<void> {
    await this.#broker(nodeId).process.stop()
  }

  /** Ends the broker where it stands (SIGKILL). The others notice after six seconds. */
  async killBroker(nodeId: number): Promise<void> {
    await this.#broker(nodeId).process.kill()
  }

  /** Starts it on its old ports and data, and waits until it answers and sees the others that run. */
  async startBroker(nodeId: number): Promise<void> {
    const broker = this.#broker(nodeId)
    broker.process.launch()
    await this.#answers(broker, this.#answering().length)
  }

  /** Freezes the broker (SIGSTOP): it accepts connections and answers nothing. */
  pauseBroker(nodeId: number): void {
    this.#broker(nodeId).process.pause()
  }

  resumeBroker(nodeId: number): void {
    this.#broker(nodeId).process.resume()
  }

  /** Writes the end of every broker's log to stderr. */
  showLogs(): void {
    for (const { process } of this.#started().brokers) console.error(process.logTail())
  }

  async #prepare(
    folder: string,
    issuer: TestIssuer | undefined
  ): Promise<{ places: BrokerPlace[]; certificates: Certificates | undefined }> {
    const { listeners = [], brokers = 1, serverProperties: overrides = {} } = this.#options
    const names = new Set<ListenerName>(['plaintext', ...listeners])
    const ports = await freePorts(brokers * (names.size + 1))
    const places = Array.from({ length: brokers }, (_, index) => ({
      nodeId: index + 1,
      controllerPort: takeFrom(ports),
      ports: new Map([...names].map(name => [name, takeFrom(ports)])),
      dataFolder: join(folder, `data-${index + 1}`)
    }))
    const certificates = names.size > 1 ? await makeCertificates(join(folder, 'certificates')) : undefined
    await Promise.all(
      places.map(async place => {
        const file = propertiesFile(folder, place)
        await mkdir(place.dataFolder)
        await writeFile(file, serverProperties(place, places, { certificates, issuer }, overrides))
        await formatStorage(file)
      })
    )
    return { places, certificates }
  }

  /** Waits until the broker answers and sees `count` brokers, itself among them. */
  async #answers({ place, process }: Broker, count: number): Promise<void> {
    const address = `127.0.0.1:${place.ports.get('plaintext')}`
    let seen = 'no answer'
    const ready = async () => {
      if (!process.running) return 'ended'
      const { brokers } = await brokerMetadata(address)
      seen = `it sees ${brokers.length} of ${count} brokers`
      return brokers.length >= count && brokers.some(each => each.nodeId === place.nodeId) ? 'ready' : undefined
    }
    const describe = () => `${process.name} on ${address} is ready (${seen})`
    const state = await eventually(ready, { timeoutMs: startTimeoutMs, describe })
    if (state === 'ended') throw new Error(`${process.name} ended while it started\n${process.logTail()}`)
  }

  #answering(): string[] {
    const able = this.#started().brokers.filter(({ process }) => process.answering)
    return able.map(({ place }) => `127.0.0.1:${place.ports.get('plaintext')}`)
  }

  #broker(nodeId: number): Broker {
    const { brokers } = this.#started()
    const broker = brokers.find(({ place }) => place.nodeId === nodeId)
    if (broker === undefined) throw new Error(`no broker ${nodeId}: they are 1 to ${brokers.length}`)
    return broker
  }

  #started(): Running {
    if (this.#running === undefined) throw new Error('this Kafka is not started: await start() first')
    return this.#running
  }
}

function propertiesFile(folder: string, { nodeId }: BrokerPlace): string {
  return join(folder, `broker-${nodeId}.properties`)
}

async function formatStorage(file: string): Promise<void> {
  const tools = await kafkaTools()
  if (!tools.available) throw new Error(tools.reason)
  const args = ['format', '-t', clusterId, '-c', file, ...scramArguments()]
  const { code, stdout, stderr } = await tools.run('kafka.tools.StorageTool', args)
  if (code === 0) return
  const settings = await readFile(file, 'utf8')
  throw new Error(`StorageTool format ended with ${code}\n${stdout}${stderr}\nsettings:\n${settings}`)
}

function takeFrom(ports: number[]): number {
  const port = ports.pop()
  if (port === undefined) throw new Error('fewer ports than listeners')
  return port
}
