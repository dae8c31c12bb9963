import { codeOf } from './api.ts'
import type { Api, RequestContext } from './api.ts'
import { apis } from './apis.ts'
import type { BrokerState } from './broker-state.ts'
import { errorCode, errorCodes } from './error-codes.ts'
import type { Faults } from './faults.ts'
import { apiVersionsKey } from './handlers/api-versions.ts'
import { WireReader } from './wire-reader.ts'
import { nullableString } from './wire-schema.ts'
import { WireWriter } from './wire-writer.ts'

/** What the connection does with a request: send these bytes, send nothing, or end. */
export type Reply = { readonly send: readonly Buffer[] } | 'nothing' | 'drop'

/** What a request is told by its connection. */
export type Caller = Pick<RequestContext, 'advertised' | 'clientHost' | 'signal'>

interface RequestHeader {
  readonly key: number
  readonly version: number
  readonly correlationId: number
}

const classic = { version: 0, flexible: false }

function skipTags(reader: WireReader): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    reader.uvarint()
    reader.slice(reader.uvarint())
  }
}

/** The whole frame: length, correlation id, the tags that flexible headers end with, body. */
function frame(correlationId: number, flexibleHeader: boolean, body: (writer: WireWriter) => void): Reply {
  const writer = new WireWriter()
  writer.int32(correlationId)
  if (flexibleHeader) writer.uvarint(0)
  body(writer)
  const length = Buffer.allocUnsafe(4)
  length.writeInt32BE(writer.length)
  return { send: [length, ...writer.buffers()] }
}

/** From the bytes of a request to the bytes of its answer. */
export class Responder {
  readonly #broker: BrokerState
  readonly #faults: Faults
  readonly #log: (line: string) => void

  constructor(broker: BrokerState, faults: Faults, log: (line: string) => void) {
    this.#broker = broker
    this.#faults = faults
    this.#log = log
  }

  /** Throws MalformedRequest when the bytes are no request. */
  async respond(bytes: Buffer, caller: Caller): Promise<Reply> {
    const reader = new WireReader(bytes)
    const header = { key: reader.int16(), version: reader.int16(), correlationId: reader.int32() }
    const api = apis.get(header.key)
    const [min, max] = api?.versions ?? [0, -1]
    const isOffered = api !== undefined && this.#broker.offers(api)
    if (!isOffered || header.version < min || header.version > max) return this.#unsupported(api, header, caller)
    // Even in flexible headers the client id is in the classic encoding, so that brokers can read it in any version.
    const clientId = nullableString.read(reader, classic) ?? ''
    const flexible = header.version >= api.flexibleFrom
    if (flexible) skipTags(reader)
    const request = api.request.read(reader, { version: header.version, flexible })
    return this.#answer(api, header, request, { broker: this.#broker, version: header.version, clientId, ...caller })
  }

  async #answer(api: Api, header: RequestHeader, request: unknown, context: RequestContext): Promise<Reply> {
    const fault = this.#faults.take(api.key)
    if (fault !== undefined && 'dropConnection' in fault) return 'drop'
    if (fault !== undefined && 'delayMs' in fault) await pause(fault.delayMs, context.signal)
    const isRefused = fault !== undefined && 'error' in fault
    const answer = isRefused
      ? api.refuse(request, errorCode(fault.error), context)
      : await this.#handle(api, request, context)
    if (fault !== undefined && 'loseAnswer' in fault) return 'drop'
    return answer === undefined ? 'nothing' : this.#encode(api, header, answer)
  }

  async #handle(api: Api, request: unknown, context: RequestContext): Promise<unknown> {
    try {
      return await api.handle(request, context)
    } catch (error) {
      const code = codeOf(error)
      if (code === errorCodes.UNKNOWN_SERVER_ERROR) {
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
        this.#log(`${api.name} failed: ${reason}`)
      }
      return api.refuse(request, code, context)
    }
  }

  #encode(api: Api, { version, correlationId }: RequestHeader, answer: unknown): Reply {
    const flexible = version >= api.flexibleFrom
    // ApiVersions answers never have tags in the header: the client reads them before it knows what the broker can do.
    return frame(correlationId, flexible && api.key !== apiVersionsKey, writer =>
      api.response.write(writer, answer, { version, flexible })
    )
  }

  /**
   * ApiVersions has its own way out: version 0 of the answer, with the error. Of anything else the layout of the
   * answer is unknown here, so that it is the error code alone. (Kafka closes the connection without a word.)
   */
  #unsupported(api: Api | undefined, { key, version, correlationId }: RequestHeader, caller: Caller): Reply {
    this.#log(`request ${api?.name ?? `with unknown key ${key}`} in unsupported version ${version}`)
    if (api?.key !== apiVersionsKey) {
      return frame(correlationId, false, writer => writer.int16(errorCodes.UNSUPPORTED_VERSION))
    }
    const context = { broker: this.#broker, version: 0, clientId: '', ...caller }
    const answer = api.refuse(api.request.absent, errorCodes.UNSUPPORTED_VERSION, context)
    return this.#encode(api, { key, version: 0, correlationId }, answer)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
