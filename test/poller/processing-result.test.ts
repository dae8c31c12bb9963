import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProcessingResult } from '../../src/poller/processing-result.ts'
import type { PollerReport } from '../../src/ports/poller-host.ts'

function setup() {
  const told: string[] = []
  const result = new ProcessingResult((report: PollerReport) => {
    assert.equal(report.kind, 'result')
    told.push(report.kind === 'result' ? `${report.reason ?? '-'} ${report.text}` : '')
  })
  return { result, told }
}

test('nothing is said before the first record is settled', () => {
  const { result, told } = setup()
  result.source(undefined)
  assert.deepEqual(told, [])
  result.settled()
  result.ended({})
  assert.deepEqual(told, ['- OK'])
})

test('a problem of the source is over when the source is well, also when no record has come yet', () => {
  const { result, told } = setup()
  result.source({ kind: 'authorization', message: 'topic orders' })
  result.source(undefined)
  assert.deepEqual(told, [
    'EVENT_SOURCE_AUTHZ_ERROR PROBLEM: Cluster failed to authorize Lambda. Details: topic orders',
    '- OK'
  ])
})

test('each state is told once; the source comes before a batch that is tried again', () => {
  const { result, told } = setup()
  const batch = {}
  result.failing(batch, 'function', 'boom')
  result.failing(batch, 'function', 'boom')
  result.source({ kind: 'connection', message: '' })
  result.source(undefined)
  result.ended(batch)
  assert.deepEqual(told, [
    '- PROBLEM: Function call failed. Details: boom',
    '- PROBLEM: Connection error. Please check your event source connection configuration.',
    '- PROBLEM: Function call failed. Details: boom',
    '- OK'
  ])
})
