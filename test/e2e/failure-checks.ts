import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CreateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import { HttpFunction, type FunctionCall, type Script } from '../support/http-function.ts'
import type { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'

/** What a function makes of a batch of one partition that is there before it is read, and what has to come of it. */
export interface FailureCheck {
  readonly title: string
  /** What is set of the mapping. Without a destination there is one; `DestinationConfig: {}` means none. */
  readonly input?: Partial<CreateEventSourceMappingCommandInput>
  /** In the topic, all in one batch. Default 1. */
  readonly records?: number
  /** How long before now a record was written. Default: not at all. */
  readonly ageMs?: (offset: number) => number
  /** How it is called: over HTTP (default), or by AWS Lambda's Invoke. */
  readonly by?: 'http' | 'lambda'
  /** Of a function over HTTP. Default 30. */
  readonly timeoutSeconds?: number
  readonly script: Script
  /** Offsets of every call, in order. */
  readonly calls: readonly (readonly number[])[]
  /** What is told to the destination, in order. Default: nothing. */
  readonly told?: readonly Told[]
}

export interface Told {
  readonly offsets: readonly number[]
  readonly condition: 'RetryAttemptsExhausted' | 'RecordAgeExceeded' | 'MaximumPayloadSizeExceeded'
  /** approximateInvokeCount. */
  readonly calls: number
  /** `functionError` of the last answer; `none`: responseContext is null; `missing`: there is none. */
  readonly response: 'Unhandled' | 'reported' | 'none' | 'missing'
}

export const offsetsOf = (call: FunctionCall): number[] => call.records.map(({ offset }) => offset)
export const upTo = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, at) => start + at)

/** Short pauses: what is checked is what is called, and how often. */
export const quick = { retryBaseMs: 20, retryCapMs: 50, throttleCapMs: 50 }

/** All checks on one server, each a mapping with a function of its own, at the same time. */
export async function runChecks(
  t: TestContext,
  checks: readonly FailureCheck[],
  config: Readonly<Record<string, unknown>> = {}
): Promise<void> {
  const world = await EmbeddedWorld.open(t)
  const rows = await Promise.all(
    checks.map(async (check, at) => {
      const double = await HttpFunction.open()
      t.after(() => double.close())
      double.script = check.script
      const name = `check-${at}`
      world.broker.createTopic(name, { partitions: 1 })
      const now = Date.now()
      const records = upTo(check.records ?? 1).map(offset => ({
        value: `${name}@${offset}`,
        timestamp: now - (check.ageMs?.(offset) ?? 0)
      }))
      world.broker.append(name, 0, records)
      return { check, double, name, end: records.length }
    })
  )
  const functions = Object.fromEntries(rows.map(({ name, double, check }) => [name, placeOf(name, double, check)]))
  const millrace = await world.serve({ config: { ...quick, ...config, functions } })
  await t.test('each of them', { concurrency: true }, async t => {
    await Promise.all(
      rows.map(({ check, double, name, end }) =>
        t.test(check.title, async () => {
          const destination = { OnFailure: { Destination: `file:${name}.jsonl` } }
          const uuid = await world.map(millrace, name, {
            FunctionName: name,
            MaximumBatchingWindowInSeconds: 0,
            ...(config['strictAws'] === true ? { SourceAccessConfigurations: [] } : { DestinationConfig: destination }),
            ...check.input
          })
          const told = check.told ?? []
          await eventually(() => world.broker.committed(uuid, name, 0)?.offset === end, {
            describe: () => `all is committed; calls: ${JSON.stringify(double.calls.map(offsetsOf))}`,
            timeoutMs: 30_000
          })
          assert.deepEqual(double.calls.map(offsetsOf), check.calls)
          assert.deepEqual(await toldTo(millrace, name), told)
        })
      )
    )
  })
}

function placeOf(name: string, { url }: HttpFunction, { by, timeoutSeconds = 30 }: FailureCheck): object {
  if (by !== 'lambda') return { http: url, timeoutSeconds }
  return { lambda: `arn:aws:lambda:us-east-1:000000000000:function:${name}`, endpoint: url, signed: false }
}

interface Line {
  readonly requestContext: { readonly condition: Told['condition']; readonly approximateInvokeCount: number }
  readonly responseContext?: { readonly functionError: string | null } | null
  readonly payload: string
}

/** What a mapping's file has been told. */
export async function toldTo({ dataDir }: MillraceProcess, name: string): Promise<Told[]> {
  const text = await readFile(join(dataDir, 'destinations', `${name}.jsonl`), 'utf8').catch(() => '')
  const lines = text.split('\n').filter(line => line !== '')
  return lines.map(line => {
    const { requestContext, responseContext, payload } = JSON.parse(line) as Line
    const { records } = JSON.parse(payload) as { records: Record<string, { offset: number }[]> }
    const { condition, approximateInvokeCount: calls } = requestContext
    const offsets = Object.values(records).flatMap(list => list.map(({ offset }) => offset))
    return { offsets, condition, calls, response: responseOf(responseContext) }
  })
}

function responseOf(context: Line['responseContext']): Told['response'] {
  if (context === undefined) return 'missing'
  if (context === null) return 'none'
  return context.functionError === null ? 'reported' : 'Unhandled'
}
