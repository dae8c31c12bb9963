import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { openLog } from '../adapters/log/pino.ts'
import { anyCredentials } from '../control/authenticator.ts'
import { MillraceError } from '../core/errors.ts'
import type { DevFlags } from './cli/dev.ts'
import { MillraceServer, openThreads, type ServerParts } from './compose.ts'
import { loadConfig, type Config, type LoadedConfig } from './config.ts'
import { createMapping } from './dev/create-mapping.ts'
import { loadDevBroker, openDevBroker, type DevBroker, type OpenedBroker, type TopicEnds } from './dev/dev-broker.ts'
import { devConfig, withBroker } from './dev/dev-config.ts'
import { LiveLog } from './dev/live-log.ts'
import { recordsText } from './dev/live-line.ts'
import { bodyFor } from './dev/local-mapping.ts'
import { planDev, type DevPlan } from './dev/plan.ts'
import { bareName, functionRow, mappingRow, planJson } from './dev/present.ts'
import { DevProgress } from './dev/progress.ts'
import { findDev, removeRunningDev, writeRunningDev } from './dev/running-dev.ts'
import { readSeeds, type Seeds } from './dev/seeds.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { interruptedBy, stopAsked } from './signals.ts'

/** How often it is looked whether all is settled. */
const lookMs = 100
/** Functions that have a process at once: each takes some 40 MB, and a template may have a hundred. */
const mostWarm = 8
/** Only for who has seeds: it has a client of Kafka's. */
const loadSeeding = () => import('./dev/send-seeds.ts')

/** Runs a developer's functions and mappings until they ask for an end, or `--once` has one. Resolves with the exit code. */
export async function runDev(flags: DevFlags, io: Io): Promise<number> {
  const { cwd, env } = io
  const loaded = await loadConfig({ cwd, env, flags: flags.options, configFile: flags.configFile })
  for (const warning of loaded.warnings) io.stderr.write(`millrace: ${warning}\n`)
  const plan = await planDev(flags, loaded, io)
  const seeds = flags.seed === undefined ? undefined : await readSeeds(flags.seed, io)
  if (flags.printConfig) {
    await devConfig(loaded, plan)
    io.stdout.write(planJson(plan, flags))
    return exitCodes.ok
  }
  const { dataDir } = loaded.config
  const { dev } = await findDev(dataDir)
  if (dev !== undefined) throw new MillraceError('MILL_DEV_RUNNING', [dev.pid, dev.api])
  return new Dev(flags, io, loaded, plan, seeds).run()
}

class Dev {
  readonly #flags: DevFlags
  readonly #io: Io
  readonly #loaded: LoadedConfig
  readonly #plan: DevPlan
  readonly #seeds: Seeds | undefined
  readonly #live: LiveLog
  readonly #progress = new DevProgress()
  readonly #beganMs = performance.now()
  /** The time of `--once` was not enough. */
  #isOver = false

  constructor(flags: DevFlags, io: Io, loaded: LoadedConfig, plan: DevPlan, seeds: Seeds | undefined) {
    this.#flags = flags
    this.#io = io
    this.#loaded = loaded
    this.#plan = plan
    this.#seeds = seeds
    this.#live = new LiveLog(io, flags.output, Object.keys(plan.functions))
  }

  async run(): Promise<number> {
    try {
      return await this.#run()
    } finally {
      // What was held back until it is said what runs may say why nothing does.
      this.#live.introduce([])
    }
  }

  async #run(): Promise<number> {
    const { dataDir } = this.#loaded.config
    await this.#prepareFolder(dataDir)
    const { partitions } = this.#flags
    const seeded = (this.#seeds?.topics ?? []).filter(name => !this.#plan.topics.some(topic => topic.name === name))
    const topics = [...this.#plan.topics, ...seeded.map(name => ({ name, partitions }))]
    const config = await devConfig(this.#loaded, this.#plan)
    const located = Promise.withResolvers<Config['clusters']>()
    const parts = { ...this.#parts(config), clusters: located.promise }
    await using parting = new AsyncDisposableStack()
    const threads = parting.adopt(openThreads(config, parts), threads => threads.close())
    let opened: OpenedBroker | undefined
    // After the server, whose pollers leave their groups.
    parting.defer(async () => opened?.broker[Symbol.asyncDispose]())
    const server = parting.use(new MillraceServer(config, { ...parts, threads }))
    // What takes longest is to load Kafka's client, here and in the thread, and what functions load, whom the server starts.
    const seeding = this.#seeds === undefined ? [] : [loadSeeding()]
    const loading = [threads.warm(), ...seeding, loadDevBroker(this.#flags), server.start()]
    for (const each of await Promise.allSettled(loading)) if (each.status === 'rejected') throw each.reason
    opened = await openDevBroker(this.#flags, topics)
    const { broker } = opened
    this.#live.record({ kind: 'broker', broker: broker.bootstrap.join(','), embedded: broker.isEmbedded })
    located.resolve(withBroker(config, this.#plan, broker.bootstrap))
    try {
      await writeRunningDev(dataDir, {
        pid: process.pid,
        broker: broker.bootstrap.join(','),
        api: server.url,
        admin: server.adminUrl,
        startedAt: new Date().toISOString()
      })
      this.#introduce(broker, server, opened.created, seeded)
      const uuids = await this.#createMappings(server.url, broker.bootstrap)
      const code = await this.#attend(broker, server, uuids)
      if (this.#io.stop.aborted) this.#tellStopping()
      // Who had so much time and no more waits for no call that hangs.
      await server.stop({ graceMs: this.#isOver ? 0 : config.graceMs })
      this.#summarize()
      return code
    } finally {
      await removeRunningDev(dataDir, process.pid)
    }
  }

  /** Of mappings that an earlier one had, and code that stands in the template. */
  async #prepareFolder(dataDir: string): Promise<void> {
    const folder = join(dataDir, 'dev')
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      for (const end of ['', '-wal', '-shm']) await rm(join(folder, `millrace.db${end}`), { force: true })
      for (const { path, text } of this.#plan.files) {
        await mkdir(dirname(path), { recursive: true })
        await writeFile(path, text)
      }
    } catch (error) {
      throw new MillraceError('MILL_DATA_DIR', [dataDir, (error as Error).message], { cause: error })
    }
  }

  #parts(config: Config): ServerParts {
    const { reload, inspect } = this.#flags
    return {
      log: config.logLevel === 'silent' ? this.#live.serverLog : openLog({ level: config.logLevel }),
      authenticator: anyCredentials(),
      hosting: {
        reload,
        // Nobody waits for a process when the first record comes, and what breaks one is told before.
        warm: this.#fed().slice(0, mostWarm),
        ...(inspect === undefined ? {} : { inspect }),
        onEvent: event => this.#live.function(event, Date.now())
      },
      onPollerEvent: (event, atMs) => {
        this.#progress.note(event)
        this.#live.poller(event, atMs)
      }
    }
  }

  /** Names of functions that mappings feed. */
  #fed(): string[] {
    const enabled = this.#plan.mappings.filter(({ parsed }) => parsed.enabled)
    return [...new Set(enabled.map(({ parsed }) => bareName(parsed.functionName)))]
  }

  async #createMappings(api: string, bootstrap: readonly string[]): Promise<string[]> {
    const uuids: string[] = []
    for (const mapping of this.#plan.mappings) {
      const { place, parsed } = mapping
      const uuid = await createMapping(api, bodyFor(mapping, bootstrap), place)
      this.#live.mapping(uuid, bareName(parsed.functionName))
      if (parsed.enabled) this.#progress.expect(uuid, parsed.topic)
      uuids.push(uuid)
    }
    return uuids
  }

  /** From the first record to the last: until the user ends it, or `--once` does. */
  async #attend(broker: DevBroker, server: MillraceServer, uuids: readonly string[]): Promise<number> {
    const { once, timeoutSeconds } = this.#flags
    const over = once ? AbortSignal.timeout(timeoutSeconds * 1_000) : new AbortController().signal
    const stop = this.#io.stop
    const until = (holds: (ends: TopicEnds) => boolean) => this.#until(broker, AbortSignal.any([stop, over]), holds)
    if (await until(ends => this.#progress.isReading(ends))) this.#ready(broker, server, uuids)
    if (!stop.aborted && !over.aborted) await this.#seed(broker)
    if (!once) await stopAsked(stop)
    else
      await until(ends => {
        const hasBegun = this.#seeds !== undefined || this.#progress.hasBegun(ends)
        return hasBegun && this.#progress.unsettled(ends).length === 0
      })
    if (stop.aborted) return once ? interruptedBy(stop) : exitCodes.ok
    this.#isOver = over.aborted
    if (over.aborted) await this.#tellTimeout(broker)
    return over.aborted || this.#progress.tally.givenUp > 0 ? exitCodes.failure : exitCodes.ok
  }

  /** True when it holds; false when `signal` fired before. */
  async #until(broker: DevBroker, signal: AbortSignal, holds: (ends: TopicEnds) => boolean): Promise<boolean> {
    const topics = [
      ...new Set(this.#plan.mappings.filter(({ parsed }) => parsed.enabled).map(({ parsed }) => parsed.topic))
    ]
    while (!signal.aborted) {
      if (holds(await broker.ends(topics))) return true
      await this.#change(signal)
    }
    return false
  }

  /** Resolves when something has come or was committed, `signal` has fired, or a while has gone. */
  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, lookMs)
    this.#progress.onChange = resolve
    const aborted = () => resolve()
    signal.addEventListener('abort', aborted)
    await promise
    signal.removeEventListener('abort', aborted)
    clearTimeout(timer)
  }

  async #seed(broker: DevBroker): Promise<void> {
    if (this.#seeds === undefined) return
    const { file } = this.#seeds
    const { sendSeeds } = await loadSeeding()
    const records = await sendSeeds(this.#seeds, broker.bootstrap, this.#io)
    const text = `${recordsText(records)} of ${file} sent`
    this.#live.say({ kind: 'note', word: 'seed', text }, { kind: 'seeded', records, file })
  }

  // ---- what is said

  #introduce(broker: DevBroker, server: MillraceServer, created: readonly string[], seeded: readonly string[]): void {
    const plan = this.#plan
    const row = (name: string, text: string) => `${this.#live.dim(name.padEnd(9))} ${text}`
    const what = broker.isEmbedded ? 'embedded Kafka, in memory,' : 'Kafka'
    const made = created.length === 0 ? '' : `; topics made: ${created.join(', ')}`
    this.#live.introduce([
      row('run', plan.origin),
      row('broker', `${what} on ${broker.bootstrap.join(',')}${made}`),
      row('api', `${server.url} takes any credentials`),
      ...Object.entries(plan.functions).map(([name, fn]) => row('function', functionRow(name, fn, this.#flags))),
      ...plan.mappings.map(mapping => row('mapping', mappingRow(mapping))),
      ...this.#notes(seeded).map(note => row('note', note))
    ])
  }

  #notes(seeded: readonly string[]): string[] {
    const { config } = this.#loaded
    const files = this.#plan.mappings.some(({ parsed }) => parsed.destination?.startsWith('file:') === true)
    return [
      ...this.#plan.notes,
      ...(files ? [`the folder for destinations is ${relative(this.#io.cwd, config.destinationDir) || '.'}`] : []),
      ...seeded.map(topic => `no mapping reads the topic ${topic} of ${this.#flags.seed}`)
    ]
  }

  #ready(broker: DevBroker, server: MillraceServer, mappings: readonly string[]): void {
    const ms = Math.round(performance.now() - this.#beganMs)
    const [topic = 'TOPIC'] = this.#plan.mappings.map(({ parsed }) => parsed.topic)
    this.#live.say(
      {
        kind: 'note',
        word: 'ready',
        text: `after ${ms} ms; millrace send ${topic} '{"hello":"world"}' sends a record`
      },
      {
        kind: 'ready',
        pid: process.pid,
        broker: broker.bootstrap.join(','),
        api: server.url,
        admin: server.adminUrl,
        mappings,
        notes: this.#notes([])
      }
    )
  }

  #tellStopping(): void {
    const { openCalls: calls } = this.#progress
    if (calls === 0) return
    const text = `${calls} ${calls === 1 ? 'call is' : 'calls are'} waited for; Ctrl-C once more ends it at once`
    this.#live.say({ kind: 'note', word: 'stopping', text }, { kind: 'stopping', calls })
  }

  async #tellTimeout(broker: DevBroker): Promise<void> {
    const left = this.#progress.unsettled(await broker.ends(this.#plan.mappings.map(({ parsed }) => parsed.topic)))
    const where = left.map(({ topic, partition, records }) => `${topic}-${partition}: ${records}`).join(', ')
    const text =
      left.length === 0
        ? `no record came within ${this.#flags.timeoutSeconds} s`
        : `not settled within ${this.#flags.timeoutSeconds} s: ${where}`
    this.#live.say({ kind: 'problem', text }, { kind: 'timeout', unsettled: left })
  }

  #summarize(): void {
    const { tally } = this.#progress
    const { records, filteredOut, calls, failedCalls, givenUp, delivered } = tally
    const filtered = filteredOut === 0 ? '' : ` (${filteredOut} more filtered out)`
    const given =
      givenUp === 0 ? 'nothing given up' : `${recordsText(givenUp)} given up, ${delivered} of them to a destination`
    const text = `${recordsText(records)} in${filtered}, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${failedCalls} failed, ${given}`
    this.#live.say({ kind: givenUp > 0 ? 'gave up' : 'note', word: 'ended', text }, { kind: 'ended', ...tally })
  }
}
