import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceParent, traceParentOf, xrayOf, xrayTrace } from '../../src/core/trace.ts'

test('a call’s trace is its request id', () => {
  assert.equal(
    traceParent('316AA6D0-1111-4222-8333-444455556666', '00f067aa0ba902b7'),
    '00-316aa6d0111142228333444455556666-00f067aa0ba902b7-01'
  )
})

test('what is no UUID has no trace', () => {
  for (const requestId of ['', 'request-1', '00000000-0000-0000-0000-000000000000'])
    assert.equal(traceParent(requestId, '00f067aa0ba902b7'), undefined)
})

const xray = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
const w3c = '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01'

test('X-Ray’s header and W3C’s say the same in each other’s words', () => {
  assert.equal(xrayOf(w3c), xray)
  assert.equal(traceParentOf(xray, '00f067aa0ba902b7'), w3c)
  assert.equal(xrayOf(w3c.replace(/01$/, '00')), xray.replace('Sampled=1', 'Sampled=0'))
  assert.equal(
    traceParentOf('Root=1-5759e988-bd862e3fe1be46a994272793', '00f067aa0ba902b7'),
    '00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-00'
  )
})

test('a header of X-Ray is handed on as it is, unless it is none', () => {
  assert.equal(xrayTrace(`${xray};Lineage=a:b|c`), `${xray};Lineage=a:b|c`)
  for (const header of [undefined, '', 'Self=1', `${xray}\r\nx: y`, `Root=1-5759e988-bd;${xray}`])
    assert.equal(xrayTrace(header), undefined)
  for (const header of [undefined, '', 'nonsense', w3c.slice(1)]) assert.equal(xrayOf(header), undefined)
})
