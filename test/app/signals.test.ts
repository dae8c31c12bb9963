import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { interruptedBy, listenForSignals, stopAsked } from '../../src/app/signals.ts'

function setup() {
  const source = new EventEmitter()
  const exits: number[] = []
  const signals = listenForSignals(source, code => exits.push(code))
  return { exits, signals, send: (signal: string) => source.emit(signal, signal), source }
}

test('the first signal asks to stop and exits nothing', async () => {
  const { exits, signals, send } = setup()
  const asked = stopAsked(signals.stop)
  send('SIGTERM')
  await asked
  assert.equal(signals.stop.reason, 'SIGTERM')
  assert.deepEqual(exits, [])
})

test('a second signal exits at once, as shells name it', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const) {
    const { exits, send } = setup()
    send('SIGTERM')
    send(signal)
    assert.deepEqual(exits, [code])
  }
})

test('a stop that was asked for before is not waited for', async () => {
  await stopAsked(AbortSignal.abort('SIGINT'))
  assert.equal(interruptedBy(AbortSignal.abort('SIGINT')), 130)
  assert.equal(interruptedBy(AbortSignal.abort('SIGTERM')), 143)
})

test('disposing gives the signals back', () => {
  const { signals, source } = setup()
  assert.equal(source.listenerCount('SIGINT'), 1)
  signals[Symbol.dispose]()
  assert.equal(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM'), 0)
})
