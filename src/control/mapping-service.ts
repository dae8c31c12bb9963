import { MillraceError } from '../core/errors.ts'
import { assumedRole } from '../core/mapping/assumed-role.ts'
import { parseFunctionName, withQualifier } from '../core/mapping/function-name.ts'
import type { Home } from '../core/mapping/function-name.ts'
import type { Author, callerOperations } from '../core/mapping/history.ts'
import { settledState, stateOfUpdate } from '../core/mapping/lifecycle.ts'
import { noRecordsProcessed, userInitiated } from '../core/mapping/mapping.ts'
import type { Mapping, MappingSpec } from '../core/mapping/mapping.ts'
import type { Operation } from '../core/mapping/constraints.ts'
import { parseCreate } from '../core/mapping/parse.ts'
import { addTags, changesExtensions, removeTags } from '../core/mapping/tags.ts'
import type { Tags } from '../core/mapping/tags.ts'
import { ignoredMembers } from '../core/mapping/unknown-members.ts'
import { applyUpdate, parseUpdate, readUpdate } from '../core/mapping/update.ts'
import type { FunctionIdentity } from '../core/mapping/update.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterDirectory, SourceWish } from '../ports/clusters.ts'
import type { FunctionCatalog } from '../ports/functions.ts'
import type { Log } from '../ports/log.ts'
import type { HistoryPage, MappingChange, MappingPage, MappingStore } from '../ports/mapping-store.ts'
import type { Principal } from './authenticator.ts'

export interface MappingServiceOptions extends Home {
  readonly store: MappingStore
  readonly functions: FunctionCatalog
  readonly clusters: ClusterDirectory
  readonly clock: Pick<Clock, 'now'>
  readonly newUuid: () => string
  /** Refuse what AWS refuses. */
  readonly strictAws: boolean
  /** Most filters of a mapping. */
  readonly maxFilters: number
  readonly log: Log
}

/** AWS's limit for functions of a Kafka event source: 14 minutes (reference 1.2, rule 2). */
const longestTimeoutSeconds = 840
/** Never more than this many in one answer, whatever was asked for (reference 1.7). */
const longestPage = 100
/** Of a history. */
const longestHistoryPage = 1_000
/** Writers that meet at one mapping are the API and the fleet: more rounds than this is no race but a fault. */
const mostRounds = 20
/** Of ignored members: a caller that invents names must not fill the log. */
const mostTold = 200

/** The use cases of a mapping: what the API does, without HTTP. All reject with MillraceError. */
export class MappingService {
  readonly #options: MappingServiceOptions
  readonly #told = new Set<string>()

  constructor(options: MappingServiceOptions) {
    this.#options = options
  }

  async create(body: unknown, caller: Principal): Promise<Mapping> {
    const { clock, newUuid, store } = this.#options
    this.#tellIgnored('create', body)
    const { functionName, ...rest } = parseCreate(body, this.#options, clock.now())
    const identity = await this.#functionOf(functionName, rest.tags)
    await this.#checkSource(rest)
    const uuid = newUuid()
    const spec: MappingSpec = { ...rest, ...identity, consumerGroupId: rest.consumerGroupId ?? uuid }
    const mapping: Mapping = {
      uuid,
      version: 1,
      specVersion: 1,
      spec,
      state: 'Creating',
      stateTransitionReason: userInitiated,
      lastProcessingResult: noRecordsProcessed,
      lastModifiedMs: clock.now()
    }
    await store.insert(mapping, this.#author(caller, 'CreateEventSourceMapping20150331'))
    return mapping
  }

  async get(uuid: string): Promise<Mapping> {
    const mapping = await this.#options.store.get(uuid)
    if (mapping === undefined) throw new MillraceError('MILL_MAPPING_NOT_FOUND')
    return mapping
  }

  /** A function or source that nobody knows gives an empty list. */
  async list(query: {
    readonly functionName?: string
    readonly eventSourceArn?: string
    readonly maxItems?: number
    readonly marker?: string
  }): Promise<MappingPage> {
    const { functionName, eventSourceArn, maxItems = longestPage, marker } = query
    const filter = {
      ...(functionName === undefined ? {} : { functionArn: this.#arnOf(functionName) }),
      ...(eventSourceArn === undefined ? {} : { eventSourceArn })
    }
    return this.#options.store.list(filter, Math.min(maxItems, longestPage), marker)
  }

  async update(uuid: string, body: unknown, caller: Principal): Promise<Mapping> {
    this.#tellIgnored('update', body)
    const members = readUpdate(body)
    const author = this.#author(caller, 'UpdateEventSourceMapping20150331')
    // What is checked may wait for AWS, and a wish for the source is rare: asked before the race for the next version.
    if (members.SourceAccessConfigurations !== undefined) {
      const { spec } = await this.get(uuid)
      await this.#checkSource({ ...spec, ...parseUpdate(members, spec, this.#options).changes })
    }
    return this.#change(uuid, 'update', author, async before => {
      const { functionName, changes } = parseUpdate(members, before.spec, this.#options)
      const spec = applyUpdate(
        before.spec,
        changes,
        functionName === undefined ? undefined : await this.#functionOf(functionName, before.spec.tags)
      )
      return {
        // Nothing different, nothing to restart: the fleet settles the state and leaves the poller alone.
        ...(isSame(spec, before.spec) ? {} : { spec }),
        state: stateOfUpdate(before, spec.enabled),
        stateTransitionReason: userInitiated,
        lastModifiedMs: this.#options.clock.now()
      }
    })
  }

  /** The fleet stops the poller and takes the mapping out of the store. */
  async delete(uuid: string, caller: Principal): Promise<Mapping> {
    const author = this.#author(caller, 'DeleteEventSourceMapping20150331')
    return this.#change(uuid, 'delete', author, () => ({
      state: 'Deleting',
      stateTransitionReason: userInitiated,
      lastModifiedMs: this.#options.clock.now()
    }))
  }

  async tags(uuid: string): Promise<Tags> {
    return (await this.get(uuid)).spec.tags
  }

  async tag(uuid: string, added: Tags, caller: Principal): Promise<void> {
    const author = this.#author(caller, 'TagResource20170331v2')
    const { spec } = await this.get(uuid)
    const tags = addTags(spec.tags, added)
    if (changesExtensions(spec.tags, tags)) await this.#checkSource({ ...spec, tags })
    await this.#compareAndSet(uuid, 'tag', author, before => retagged(before, addTags(before.spec.tags, added)))
  }

  /** Keys that are not there are no error. */
  async untag(uuid: string, keys: readonly string[], caller: Principal): Promise<void> {
    const author = this.#author(caller, 'UntagResource20170331v2')
    await this.#compareAndSet(uuid, 'untag', author, before => retagged(before, removeTags(before.spec.tags, keys)))
  }

  /** Oldest first; also of a mapping that has gone, as long as something of it is kept. */
  async history(uuid: string, maxItems = longestPage, marker?: string): Promise<HistoryPage> {
    const { store } = this.#options
    const page = await store.history(uuid, Math.min(maxItems, longestHistoryPage), marker)
    if (page.entries.length === 0 && marker === undefined) await this.get(uuid)
    return page
  }

  /** Refuses a source that cannot be reached as it is asked for. One that cannot be asked at the moment is accepted: that may pass. */
  async #checkSource(wish: SourceWish): Promise<void> {
    try {
      await this.#options.clusters.address(wish)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.status !== 503) throw error
      this.#options.log.warn(
        { error: error.message },
        'a mapping is accepted whose cluster cannot be asked at the moment'
      )
    }
  }

  /** AWS ignores what it does not know without a word; a misspelt member is easier to find in a log. */
  #tellIgnored(operation: Operation, body: unknown): void {
    for (const { path, why } of ignoredMembers(operation, body)) {
      const key = `${operation} ${path}`
      if (this.#told.has(key) || this.#told.size >= mostTold) continue
      this.#told.add(key)
      const text =
        why === 'unknown'
          ? 'a member of the request is not known, and was ignored as AWS does'
          : 'a member that only Create takes was ignored as AWS does'
      this.#options.log.warn({ operation, member: path }, `${text}; said once`)
    }
  }

  #author({ accessKeyId }: Principal, operation: (typeof callerOperations)[number]): Author {
    return { who: accessKeyId, operation, atMs: this.#options.clock.now() }
  }

  async #change(
    uuid: string,
    verb: string,
    author: Author,
    decide: (before: Mapping) => MappingChange | Promise<MappingChange>
  ): Promise<Mapping> {
    return this.#compareAndSet(uuid, verb, author, before => {
      // A change in the middle of another is simply the newer wish, unless AWS's refusal is wanted; but what is being
      // deleted is not brought back.
      const busy = this.#options.strictAws && settledState(before) !== undefined
      if (busy || before.state === 'Deleting') throw new MillraceError('MILL_MAPPING_IN_USE', [verb])
      return decide(before)
    })
  }

  /** Decides anew on what is there now until nobody else was faster. */
  async #compareAndSet(
    uuid: string,
    verb: string,
    author: Author,
    decide: (before: Mapping) => MappingChange | Promise<MappingChange>
  ): Promise<Mapping> {
    for (let round = 0; round < mostRounds; round++) {
      const before = await this.get(uuid)
      const after = await this.#options.store.update(uuid, before.version, await decide(before), author)
      if (after !== undefined) return after
    }
    throw new MillraceError('MILL_MAPPING_IN_USE', [verb])
  }

  async #functionOf(written: string, tags: Tags): Promise<FunctionIdentity> {
    const { name, arn, isLocated, qualifier } = parseFunctionName(written, this.#options)
    const entry = this.#options.functions.find(name, isLocated ? arn : undefined)
    if (entry === undefined) throw new MillraceError('MILL_FUNCTION_NOT_FOUND')
    const timeoutSeconds = (await entry.inspect?.(qualifier, assumedRole(tags)))?.timeoutSeconds ?? entry.timeoutSeconds
    if (timeoutSeconds > longestTimeoutSeconds)
      throw new MillraceError('MILL_FUNCTION_TIMEOUT', [longestTimeoutSeconds, name, timeoutSeconds])
    const functionArn = withQualifier(entry.arn, qualifier)
    return { functionArn, functionName: name, ...(qualifier === undefined ? {} : { qualifier }) }
  }

  #arnOf(written: string): string {
    const { name, arn, isLocated, qualifier } = parseFunctionName(written, this.#options)
    return withQualifier(this.#options.functions.find(name, isLocated ? arn : undefined)?.arn ?? arn, qualifier)
  }
}

/** Tags of the user's own leave the poller alone; ours change how it works, so that it is started anew. */
const retagged = ({ spec }: Mapping, tags: Tags): MappingChange =>
  changesExtensions(spec.tags, tags) ? { spec: { ...spec, tags } } : { tags }

/** Both hold plain data, with their members in whatever order they were set. */
const isSame = (a: MappingSpec, b: MappingSpec): boolean => textOf(a) === textOf(b)

const textOf = (spec: MappingSpec): string =>
  JSON.stringify(Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
