import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { serverlessEventKinds, serverlessEventProperties } from '../../../src/app/templates/serverless-events.ts'
import type { TemplateOptions } from '../../../src/app/templates/read-template.ts'
import { fixture, readFixture } from './fixtures.ts'
import { clusterArn, only, problems, read } from './small.ts'

const service = (topic: string, rest = '', event = '') => `
service: shop
provider: { name: aws, runtime: nodejs22.x }
${rest}
functions:
  orders:
    handler: code/orders/app.handler
    events:
      - msk:
          arn: ${clusterArn}
          topic: ${topic}
          ${event}
`
const open = (text: string, options: Partial<TemplateOptions> = {}) => read(text, options, 'serverless.yml')
const topicOf = (topic: string, rest = '', options: Partial<TemplateOptions> = {}) =>
  only(open(service(topic, rest), options)).mapping.create.Topics?.[0]

describe('variables of the Serverless Framework', () => {
  const custom =
    "custom: { name: orders, stages: { dev: a1, live: '${self:custom.name}' }, list: [x1, y1], empty: null }"
  const values: readonly (readonly [variable: string, value: string, options?: Partial<TemplateOptions>])[] = [
    ['${self:custom.name}', 'orders'],
    ['${self:service}-x', 'shop-x'],
    ['a-${self:custom.name}-${self:service}', 'a-orders-shop'],
    ['${self:custom.stages.${opt:stage, "dev"}}', 'a1'],
    ['${self:custom.stages.${opt:stage, "dev"}}', 'orders', { parameters: { stage: 'live' } }],
    ['${self:custom.list.1}', 'y1'],
    ['${self:custom.empty, self:custom.nothing, "last"}', 'last'],
    ["${opt:topic, 'c1'}", 'c1'],
    ['${sls:stage}', 'dev'],
    ['${sls:stage}', 'qa', { parameters: { stage: 'qa' } }],
    ['${env:TOPIC}', 'from-env', { env: { TOPIC: 'from-env' } }],
    ['${param:topic}', 'given', { parameters: { topic: 'given' } }],
    ['${aws:accountId}', '000000000000'],
    ['${aws:region}', 'eu-west-1'],
    ['${opt:region}', 'eu-west-1'],
    ['${file(serverless-msk/clusters.yml):nothing, "x1"}', 'x1'],
    ['${file(nowhere.yml):a, "absent"}', 'absent']
  ]
  for (const [variable, value, options] of values) {
    test(`${variable} is ${value}${options === undefined ? '' : ` with ${JSON.stringify(options)}`}`, () => {
      assert.equal(topicOf(`'${variable.replaceAll("'", "''")}'`, custom, options), value)
    })
  }

  const refusals: readonly (readonly [variable: string, told: string])[] = [
    ['${opt:topic}', '${opt:topic} has no value: give it with --parameter topic=VALUE'],
    ['${param:topic}', '${param:topic} has no value: give it with --parameter topic=VALUE'],
    ['${env:TOPIC}', '${env:TOPIC} has no value: set TOPIC in the environment'],
    ['${self:custom.nothing}', '${self:custom.nothing} has no value'],
    [
      '${ssm:/topic}',
      "${ssm:/topic} is of a kind that has no value here: give it a default, as in ${ssm:/topic, 'value'}"
    ],
    ['x-${self:custom.list}', '${self:custom.list} must be a text here, got a list'],
    ['${self:custom.name', 'has a variable without end: ${self:custom.name'],
    ['${file(package.js):a}', '${file(package.js):a} has no value']
  ]
  for (const [variable, told] of refusals) {
    test(`${variable} is refused with its path`, () => {
      assert.deepEqual(
        problems(() => topicOf(`'${variable}'`, custom)),
        [`functions.orders.events[0].msk.topic: ${told}`]
      )
    })
  }

  test('those that stand for each other have no value', () => {
    const told = problems(() =>
      topicOf("'${self:custom.a}'", "custom: { a: '${self:custom.b}', b: '${self:custom.a}' }")
    )
    assert.match(told.join(), /refers to itself in the end \(custom\.a\)/)
    const inside = "custom: { a: { b: '${self:custom}' } }"
    const event = "filterPatterns: ['${self:custom.a}']"
    assert.match(problems(() => open(service('orders', inside, event))).join(), /holds itself in the end/)
  })

  test('what nobody needs may be anything', () => {
    assert.equal(
      topicOf('orders', "custom: { a: '${ssm:/x}', b: '${self:nothing}' }\nplugins: ['${env:NO}']"),
      'orders'
    )
  })
})

describe('reference 14.5: events of the Serverless Framework', () => {
  test('every property of both events is taken by one of the fixtures or by a test', () => {
    const names = ['serverless-msk', 'serverless-kafka'].flatMap(name => readFixture(fixture(name)).mappings)
    const members = new Set(names.flatMap(({ create }) => Object.keys(create)))
    for (const member of [
      'BatchSize',
      'MaximumBatchingWindowInSeconds',
      'Enabled',
      'StartingPositionTimestamp',
      'FilterCriteria',
      'SourceAccessConfigurations'
    ]) {
      assert.ok(members.has(member), member)
    }
    assert.deepEqual(
      serverlessEventKinds.map(kind => serverlessEventProperties(kind).length),
      [10, 10]
    )
  })

  test('an unknown property is refused with the one that was meant', () => {
    assert.deepEqual(
      problems(() => open(service('orders', '', 'batchsize: 5'))),
      ['functions.orders.events[0].msk.batchsize: is no property of an event msk: batchSize is one']
    )
  })

  test('a missing cluster or topic is told', () => {
    const text = service('orders')
      .replace(/^ +arn:.*$/m, '')
      .replace('topic: orders', 'batchSize: 5')
    const told = problems(() => open(text))
    assert.ok(told.includes('functions.orders.events[0].msk.topic: is missing'))
    assert.ok(told.includes('functions.orders.events[0].msk.arn: is missing'))
  })

  test('functions are named by service, stage and key, and have the framework’s defaults', () => {
    const { fn } = only(open(service('orders'), { parameters: { stage: 'qa' } }))
    assert.deepEqual([fn.name, fn.timeoutSeconds, fn.memoryMiB], ['shop-qa-orders', 6, 1024])
    assert.equal(fn.path, 'functions.orders')
  })

  test('truths are those of YAML 1.2: yes is a text', () => {
    assert.equal(topicOf('yes'), 'yes')
  })
})
