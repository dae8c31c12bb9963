import * as kafka from '@platformatic/kafka'
import type { Writer } from '@platformatic/kafka'
import type { Lease } from './buffer-pool.ts'
import { MalformedResponse } from './problems.ts'
import type { Wire } from './wire.ts'

/** One version of one Kafka API, as the library encodes and decodes it. */
type Codec<Request extends unknown[], Response> = kafka.API<Request, Response>

/** All versions of an API that the library knows, called like the newest: older ones leave out what they cannot say. */
export interface ApiFamily<Request extends unknown[], Response> {
  readonly name: string
  readonly key: number
  readonly codecs: ReadonlyMap<number, Codec<Request, Response>>
}

/** Lowest and highest version of each API key that a broker offers. */
export type OfferedVersions = ReadonlyMap<number, { readonly min: number; readonly max: number }>

export const apis = {
  metadata: family('metadata', kafka.metadataV12.api),
  findCoordinator: family('findCoordinator', kafka.findCoordinatorV6.api),
  joinGroup: family('joinGroup', kafka.joinGroupV9.api),
  syncGroup: family('syncGroup', kafka.syncGroupV5.api),
  heartbeat: family('heartbeat', kafka.heartbeatV4.api),
  consumerGroupHeartbeat: family('consumerGroupHeartbeat', kafka.consumerGroupHeartbeatV1.api),
  leaveGroup: family('leaveGroup', kafka.leaveGroupV5.api),
  offsetCommit: family('offsetCommit', kafka.offsetCommitV9.api),
  offsetFetch: family('offsetFetch', kafka.offsetFetchV9.api),
  listOffsets: family('listOffsets', kafka.listOffsetsV9.api),
  offsetForLeaderEpoch: family('offsetForLeaderEpoch', kafka.offsetForLeaderEpochV4.api),
  fetch: family('fetch', kafka.fetchV17.api),
  initProducerId: family('initProducerId', kafka.initProducerIdV5.api),
  createTopics: family('createTopics', kafka.createTopicsV7.api)
} as const

function family<Request extends unknown[], Response>(
  name: string,
  newest: Codec<Request, Response>
): ApiFamily<Request, Response> {
  const codecs = new Map<number, Codec<Request, Response>>()
  for (let version = newest.version; version >= 0; version--) {
    const module = (kafka as unknown as Record<string, { api: Codec<Request, Response> } | undefined>)[
      `${name}V${version}`
    ]
    if (module !== undefined) codecs.set(version, module.api)
  }
  return { name, key: newest.key, codecs }
}

/** The newest version that broker and library share. Throws when there is none. */
export function newestShared<Request extends unknown[], Response>(
  family: ApiFamily<Request, Response>,
  offered: OfferedVersions
): Codec<Request, Response> {
  const range = offered.get(family.key)
  if (range !== undefined)
    for (let version = range.max; version >= range.min; version--) {
      const codec = family.codecs.get(version)
      if (codec !== undefined) return codec
    }
  const offer = range === undefined ? 'does not offer it' : `offers versions ${range.min} to ${range.max}`
  throw new Error(
    `no common version of Kafka's API ${family.name}: Millrace knows ${[...family.codecs.keys()].join(', ')}, the broker ${offer}`
  )
}

type Parser<Response> = (correlationId: number, apiKey: number, version: number, reader: kafka.Reader) => Response

/**
 * Sends one request. Error codes inside the response are the caller's to read: they do not reject.
 * Rejects with BrokerUnreachable, MalformedResponse, or an error for a code that the library does not know.
 */
export function call<Request extends unknown[], Response>(
  wire: Wire,
  codec: Codec<Request, Response>,
  request: Request,
  timeoutMs: number
): Promise<Response> {
  return send(wire, codec, request, timeoutMs, false, (body, parser) =>
    parsed(() => parser(0, codec.key, codec.version, kafka.Reader.from(body)), `${wire.address} answered`)
  )
}

/** As `call`, but the answer's body is left undecoded in a pooled Buffer, whose lease is the caller's. */
export function callRaw<Request extends unknown[]>(
  wire: Wire,
  codec: Codec<Request, unknown>,
  request: Request,
  timeoutMs: number
): Promise<{ body: Buffer; lease: Lease }> {
  return send(wire, codec, request, timeoutMs, true, (body, _parser, lease) => ({ body, lease }))
}

/** Lets the library's codec run over our own connection: all it needs from one is `send`. */
async function send<Request extends unknown[], Response, Result>(
  wire: Wire,
  codec: Codec<Request, Response>,
  request: Request,
  timeoutMs: number,
  pooled: boolean,
  read: (body: Buffer, parser: Parser<Response>, lease: Lease) => Result
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const connection = {
    send(
      apiKey: number,
      apiVersion: number,
      createPayload: () => Writer,
      parser: Parser<Response>,
      taggedRequest: boolean,
      taggedResponse: boolean
    ): void {
      const payload = createPayload()
      wire
        .request({ apiKey, apiVersion, payload, taggedRequest, taggedResponse, timeoutMs, pooled })
        .then(({ lease, body }) => resolve(read(body, parser, lease)))
        .catch((error: unknown) => {
          if (error instanceof MalformedResponse) wire.close(error.message)
          reject(error)
        })
    }
  }
  const start = codec as unknown as (over: typeof connection, ...request: Request) => void
  start(connection, ...request)
  return promise
}

/** The library throws where a response holds an error code, with the response inside: the codes are ours to read. */
function parsed<Response>(parse: () => Response, who: string): Response {
  try {
    return parse()
  } catch (error) {
    if (error instanceof kafka.ResponseError) {
      const { response } = error as kafka.ResponseError & { response?: Response }
      if (response !== undefined) return response
    }
    // Its error class looks the code up in a table and fails on one that is newer: the response is lost.
    if (error instanceof TypeError)
      throw new Error(`${who} with an error code that is not known here`, { cause: error })
    throw new MalformedResponse(`${who} with what is not a response: ${(error as Error).message}`, { cause: error })
  }
}

/** Which versions the broker at the other end offers. */
export async function offeredVersions(wire: Wire, timeoutMs: number): Promise<OfferedVersions> {
  const software: [string, string] = ['millrace', '1']
  let response = await call(wire, kafka.apiVersionsV3.api, software, timeoutMs)
  // A broker that does not know version 3 answers in version 0's layout, with what it offers or without.
  if (response.errorCode !== 0) response = await call(wire, kafka.apiVersionsV1.api, software as never, timeoutMs)
  return new Map(response.apiKeys.map(each => [each.apiKey, { min: each.minVersion, max: each.maxVersion }]))
}
