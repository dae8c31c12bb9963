import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { firstAnswer } from '../../../src/adapters/kafka/first-answer.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** What each candidate does, in their order. */
function setup(...behaviours: readonly (() => Promise<string>)[]) {
  const clock = new FakeClock()
  const asked: number[] = []
  const answer = firstAnswer(
    [...behaviours.keys()],
    candidate => {
      asked.push(candidate)
      return behaviours[candidate]!()
    },
    {
      clock,
      final: failure => failure.message === 'final',
      allFailed: failures => new Error(failures.map(each => each.message).join(', '))
    }
  )
  return { clock, asked, answer }
}

const answers = (text: string) => () => Promise.resolve(text)
const fails = (text: string) => () => Promise.reject(new Error(text))
const hangs = () => new Promise<string>(() => undefined)

suite('the first answer of several', () => {
  test('is that of the first that does not fail, and nobody behind it is asked', async () => {
    const { answer, asked, clock } = setup(fails('one'), answers('two'), answers('three'))
    assert.equal(await answer, 'two')
    await clock.advance(5000)
    assert.deepEqual(asked, [0, 1])
    assert.equal(clock.waiting, 0)
  })

  test('does not wait long for one that hangs', async () => {
    const { answer, asked, clock } = setup(hangs, hangs, answers('three'))
    await clock.advance(499)
    assert.deepEqual(asked, [0])
    await clock.advance(501)
    assert.equal(await answer, 'three')
  })

  test('of nobody is all they failed with, or at once what would not get better with the next', async () => {
    await assert.rejects(setup(fails('one'), fails('two')).answer, { message: 'one, two' })
    const { answer, asked } = setup(fails('one'), fails('final'), answers('three'))
    await assert.rejects(answer, { message: 'final' })
    assert.deepEqual(asked, [0, 1])
    await assert.rejects(setup().answer, { message: '' })
  })
})
