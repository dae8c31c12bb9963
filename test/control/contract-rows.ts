import { CreateEventSourceMappingCommand } from '@aws-sdk/client-lambda'
import type { CreateEventSourceMappingRequest } from '@aws-sdk/client-lambda'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mskArn, openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'
import { signedFetch } from './signed-fetch.ts'

// What the suites of the contract share: one row is sent through AWS's SDK and through raw HTTP.

export const collection = '/2015-03-31/event-source-mappings'
export type Members = Readonly<Record<string, unknown>>

export const servers = (...list: string[]): Members => ({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: list } })
export const smk: Members = { FunctionName: 'f', SelfManagedEventSource: servers('kafka:1000'), Topics: ['topic'] }
export const msk: Members = { FunctionName: 'f', EventSourceArn: mskArn, Topics: ['topic'] }

export interface Refusal {
  readonly type: string
  readonly status: number
  readonly message: string | undefined
}

export const invalid = (message: string): Refusal => ({ type: 'InvalidParameterValueException', status: 400, message })
export const unsupported = (name: string): Refusal =>
  invalid(`Unsupported '${name}' parameter for given event source mapping type`)
export const notBuilt = (what: string): Refusal =>
  invalid(`Millrace does not support ${what} yet: remove it from the request.`)
export const broken = (value: string, at: string, constraint: string): Refusal => ({
  type: 'ValidationException',
  status: 400,
  message: `1 validation error detected: Value '${value}' at '${at}' failed to satisfy constraint: Member must ${constraint}`
})
export const atMost = (n: number): string => `have value less than or equal to ${n}`
export const atLeast = (n: number): string => `have value greater than or equal to ${n}`
export const longest = (n: number): string => `have length less than or equal to ${n}`
export const shortest = (n: number): string => `have length greater than or equal to ${n}`
export const oneOf = (...values: string[]): string => `satisfy enum value set: [${values.join(', ')}]`

export interface Row {
  readonly of?: Members
  readonly sent: Members
  /** Members the answer has; undefined: it must not have it. */
  readonly answered?: Members
  readonly refused?: Refusal
  readonly strict?: true
}

/** One Create as it went over the wire: status, AWS's type, body. */
export async function createRaw(
  world: ControlWorld,
  body: Members
): Promise<{ status: number; type: string; body: Members }> {
  const response = await signedFetch(world.server.url, 'POST', collection, { body: JSON.stringify(body) })
  const type = response.headers.get('x-amzn-errortype') ?? ''
  return { status: response.status, type, body: (await response.json()) as Members }
}

export async function createBySdk(world: ControlWorld, body: Members): Promise<Members | Refusal> {
  try {
    // Rows hold what the types forbid as well: the SDK sends it all the same.
    return {
      ...(await world.client.send(
        new CreateEventSourceMappingCommand(body as unknown as CreateEventSourceMappingRequest)
      ))
    }
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata: { httpStatusCode: number } }
    return { type: name, status: $metadata.httpStatusCode, message }
  }
}

const title = ({ of = smk, sent, strict }: Row): string => {
  const text = JSON.stringify(sent)
  return `${of === msk ? 'MSK' : 'self-managed'}${strict ? ', strict' : ''}: ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`
}

export function creates(section: string, rows: readonly Row[]): void {
  for (const row of rows)
    test(`${section}: Create ${row.refused === undefined ? 'takes' : 'refuses'} ${title(row)}`, async () => {
      const body = { ...(row.of ?? smk), ...row.sent }
      for (const send of [createRaw, createBySdk]) {
        await using world = await openControlWorld({ strictAws: row.strict ?? false })
        const answer = await send(world, body)
        const stored = (await world.store.list({}, 10)).mappings.length
        if (row.refused === undefined) {
          const got = (send === createRaw ? answer['body' as keyof typeof answer] : answer) as Members
          assert.match(String(got['UUID']), /^[0-9a-f-]{36}$/, JSON.stringify(answer))
          for (const [name, value] of Object.entries(row.answered ?? row.sent))
            assert.deepEqual(got[name] ?? undefined, value, name)
          assert.equal(stored, 1)
        } else {
          if (send === createRaw) assertRaw(answer as Awaited<ReturnType<typeof createRaw>>, row.refused)
          else assert.deepEqual(answer, row.refused)
          assert.equal(stored, 0)
        }
      }
    })
}

export function assertRaw(answer: Awaited<ReturnType<typeof createRaw>>, { type, status, message }: Refusal): void {
  const body = type === 'ValidationException' ? { message } : { Type: 'User', message }
  assert.deepEqual(answer, { status, type, body })
}
