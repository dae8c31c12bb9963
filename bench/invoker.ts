// Invocations per second and CPU per call of the invokers for HTTP and AWS Lambda, beside what others would write by hand,
// in one run.
// By hand only: node bench/invoker.ts [rounds]. Client CPU alone is counted; the function is a process of its own.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Pool, type Dispatcher } from 'undici'
import { AwsCredentialChain } from '../src/adapters/aws/credentials.ts'
import { systemClock } from '../src/adapters/host/system-clock.ts'
import { FunctionHost } from '../src/adapters/invoker/function-host.ts'
import { openHttpInvoker } from '../src/adapters/invoker/http.ts'
import { openLambdaInvoker } from '../src/adapters/invoker/lambda.ts'
import type { HttpTarget } from '../src/ports/functions.ts'
import type { Invoker } from '../src/ports/invoker.ts'
import type { Log } from '../src/ports/log.ts'

const inFlight = 16
const answer = '{"batchItemFailures":[]}'

/** What every call of a mapping carries: the same for all, so that only the way of sending differs. */
const headers = {
  'content-type': 'application/json',
  'x-millrace-request-id': 'r',
  'x-millrace-deadline-ms': '1700000000000',
  'x-millrace-mapping': 'm'
}

if (process.argv[2] === 'serve') {
  const server = http.createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(200, { 'content-length': answer.length }).end(answer))
  })
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('disconnect', () => process.exit(0))
} else await compare(Number(process.argv[2] ?? 5))

interface Contender {
  readonly name: string
  call(event: Buffer): Promise<unknown>
  close(): Promise<void>
}

async function compare(rounds: number): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ['serve'])
  const [port] = (await once(server, 'message')) as [number]
  const url = `http://127.0.0.1:${port}/`
  const contenders = [
    viaDispatch(url),
    viaInvoker({ kind: 'http', url, headers: {}, timeoutMs: 60_000 }),
    viaLambda(url),
    viaRequest(url),
    viaNodeHttp(port)
  ]
  const hosted = await viaHost()
  for (const [label, bytes, calls] of [
    ['1 KB', 1_024, 20_000],
    ['1 MB', 1_000_000, 400]
  ] as const) {
    const event = Buffer.alloc(bytes, 'a')
      .fill('"', 0, 1)
      .fill('"', bytes - 1)
    const all = bytes < 10_000 ? [...contenders, hosted] : contenders
    const results = new Map(all.map(({ name }) => [name, [] as { perSecond: number; cpuUs: number }[]]))
    for (const contender of all) await measure(contender, event, calls / 4) // warm
    for (let round = 0; round < rounds; round++) {
      // There and back, so that a drift of the machine falls on all alike.
      for (const contender of round % 2 === 0 ? all : all.toReversed()) {
        const share = contender === hosted ? calls / 10 : calls
        results.get(contender.name)?.push(await measure(contender, event, share))
      }
    }
    console.log(`\n${label}, ${inFlight} in flight, median of ${rounds} rounds`)
    const base = results.get('undici.request') ?? []
    const rateOf = (name: string, at: number) => results.get(name)?.[at]?.perSecond ?? NaN
    const toHttp = base.map((_, at) => rateOf('openLambdaInvoker', at) / rateOf('openHttpInvoker', at))
    const least = Math.min(...toHttp).toFixed(2)
    const most = Math.max(...toHttp).toFixed(2)
    console.log(`  AWS Lambda to HTTP: ${median(toHttp).toFixed(2)}× calls/s (${least} to ${most})`)
    for (const [name, measured] of results) {
      const speed = median(measured.map(({ perSecond }, at) => perSecond / (base[at]?.perSecond ?? NaN)))
      const cost = median(measured.map(({ cpuUs }, at) => cpuUs / (base[at]?.cpuUs ?? NaN)))
      const perSecond = median(measured.map(({ perSecond }) => perSecond)).toFixed(0)
      const cpuUs = median(measured.map(({ cpuUs }) => cpuUs)).toFixed(1)
      console.log(
        `  ${name.padEnd(26)} ${perSecond.padStart(7)} calls/s  ${cpuUs.padStart(7)} µs CPU` +
          `   to undici.request: ${speed.toFixed(2)}× calls/s, ${cost.toFixed(2)}× CPU`
      )
    }
  }
  await Promise.all([...contenders, hosted].map(contender => contender.close()))
  server.disconnect()
}

async function measure(contender: Contender, event: Buffer, calls: number) {
  let left = calls
  const started = performance.now()
  const cpu = process.cpuUsage()
  const lane = async () => {
    while (left-- > 0) await contender.call(event)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: (calls * 1_000) / (performance.now() - started), cpuUs: (user + system) / calls }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
}

function viaInvoker(target: HttpTarget, name = 'openHttpInvoker'): Contender {
  return calling(name, openHttpInvoker(target, { clock: systemClock }))
}

/** The same server, which does not look at the signature: what signing costs is ours. */
function viaLambda(endpoint: string): Contender {
  const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  const credentials = new AwsCredentialChain(systemClock, { find: async () => key })
  const functionName = 'arn:aws:lambda:eu-west-1:123456789012:function:orders'
  const target = {
    kind: 'lambda',
    functionName,
    region: 'eu-west-1',
    endpoint,
    signed: true,
    timeoutMs: 60_000
  } as const
  return calling('openLambdaInvoker', openLambdaInvoker(target, { credentials, clock: systemClock }))
}

function calling(name: string, invoker: Invoker): Contender {
  const { signal } = new AbortController()
  const call = async (event: Buffer) => {
    const reply = await invoker.invoke(event, { requestId: 'r', mapping: 'm', signal })
    if (reply.kind !== 'returned') throw new Error(JSON.stringify(reply))
  }
  return { name, call, close: () => invoker.close() }
}

/** The floor: no time limit, no signal, no look at the answer. */
function viaDispatch(url: string): Contender {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const list = Object.entries(headers).flat()
  const call = (event: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error)
      }
      pool.dispatch({ path: '/', method: 'POST', headers: list, body: event }, handler)
    })
  return { name: 'undici dispatch, bare', call, close: () => pool.close() }
}

function viaRequest(url: string): Contender {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1 })
  const call = async (event: Buffer) => {
    const { body } = await pool.request({ path: '/', method: 'POST', headers, body: event })
    await body.arrayBuffer()
  }
  return { name: 'undici.request', call, close: () => pool.close() }
}

function viaNodeHttp(port: number): Contender {
  const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight })
  const call = (event: Buffer) =>
    new Promise((resolve, reject) => {
      const all = { ...headers, 'content-length': event.length }
      const request = http.request({ host: '127.0.0.1', port, method: 'POST', agent, headers: all }, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks)))
      })
      request.on('error', reject)
      request.end(event)
    })
  return { name: 'node:http', call, close: async () => agent.destroy() }
}

/** The host and its queue included: its CPU is this process's too, the handler's is not. */
async function viaHost(): Promise<Contender> {
  const log: Log = { debug() {}, info() {}, warn() {}, error: console.error, child: () => log }
  const baseDir = fileURLToPath(new URL('../test/fixtures/functions', import.meta.url))
  const functions = [{ name: 'fn', handler: 'styles.silent', baseDir, concurrency: 2, timeoutSeconds: 60 }]
  const host = new FunctionHost({ functions, region: 'us-east-1', accountId: '000000000000', log, clock: systemClock })
  await host.start()
  const inner = viaInvoker(host.target('fn'), 'a local handler')
  const close = async () => {
    await inner.close()
    await host.stop()
  }
  return { ...inner, close }
}
