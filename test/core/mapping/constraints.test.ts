import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../../src/core/errors.ts'
import { readMembers, readOne } from '../../../src/core/mapping/constraints.ts'
import { fieldNames, mappingFields } from '../../../src/core/mapping/fields.ts'

const one = '1 validation error detected: '
const broken: readonly (readonly [members: Record<string, unknown>, message: string])[] = [
  [
    { BatchSize: 0 },
    "Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1"
  ],
  [
    { StartingPosition: 'invalid' },
    "Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
  ],
  [
    { Topics: ['a', 'b'] },
    "Value '[a, b]' at 'topics' failed to satisfy constraint: Member must have length less than or equal to 1; Value '[a, b]' at 'topics' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 249, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [^.]([a-zA-Z0-9\\-_.]+)]"
  ],
  [
    { Topics: [] },
    "Value '[]' at 'topics' failed to satisfy constraint: Member must have length greater than or equal to 1"
  ],
  [
    { SelfManagedEventSource: { Endpoints: { KAFKA: ['a:1'] } } },
    "Value '[KAFKA]' at 'selfManagedEventSource.endpoints' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy enum value set: [KAFKA_BOOTSTRAP_SERVERS]]"
  ],
  [
    { SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: '' }] },
    "Value '' at 'sourceAccessConfigurations.1.member.uRI' failed to satisfy constraint: Member must have length greater than or equal to 1"
  ]
]
for (const [members, message] of broken)
  test(`a broken limit is worded as AWS words it: ${message.slice(0, 60)}…`, () => {
    const count = message.split('; ').length
    assert.throws(() => readMembers('create', { FunctionName: 'f', ...members }), {
      code: 'MILL_CONSTRAINT',
      message: count === 1 ? one + message : `${count} validation errors detected: ${message}`
    })
  })

test('all broken limits are told at once, a missing function first', () => {
  assert.throws(() => readMembers('create', { BatchSize: 10_001, ParallelizationFactor: 11 }), {
    message:
      "3 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000; Value '11' at 'parallelizationFactor' failed to satisfy constraint: Member must have value less than or equal to 10"
  })
})

const mistyped: readonly (readonly [members: Record<string, unknown>, message: string])[] = [
  [{ BatchSize: '5' }, 'BatchSize must be an integer, got "5".'],
  [{ BatchSize: 1.5 }, 'BatchSize must be an integer, got 1.5.'],
  [{ Enabled: 'true' }, 'Enabled must be true or false, got "true".'],
  [{ Topics: 'orders' }, 'Topics must be a list, got "orders".'],
  [{ Topics: [['deep']] }, 'Topics[] must be a string, got a list.'],
  [{ SelfManagedEventSource: [] }, 'SelfManagedEventSource must be an object, got a list.'],
  [
    { StartingPositionTimestamp: 'yesterday' },
    'StartingPositionTimestamp must be a number of epoch seconds or an ISO 8601 time, got "yesterday".'
  ],
  [{ StartingPositionTimestamp: -2 }, 'StartingPositionTimestamp must be a number of epoch seconds']
]
for (const [members, message] of mistyped)
  test(`a value of the wrong type is named: ${message}`, () => {
    assert.throws(
      () => readMembers('create', { FunctionName: 'f', ...members }),
      (error: unknown) =>
        error instanceof MillraceError && error.code === 'MILL_BODY_TYPE' && error.message.startsWith(message)
    )
  })

test('null is absent, unknown members are not there, and Update does not see what only Create takes', () => {
  const body = { FunctionName: 'f', BatchSize: null, Colour: 'red', Topics: ['orders'] }
  assert.deepEqual(readMembers('create', body), { FunctionName: 'f', Topics: ['orders'] })
  assert.deepEqual(readMembers('update', body), { FunctionName: 'f' })
})

test('a time may be seconds, with a fraction, or ISO 8601', () => {
  const time = (value: unknown) => readOne({ type: 'timestamp' }, value, 'T')
  assert.deepEqual([time(1.5), time('1970-01-01T00:00:01.500Z'), time(0)], [1500, 1500, 0])
})

test('a name of the prototype is a key like any other', () => {
  const tags = readOne(mappingFields.Tags.shape, JSON.parse('{"__proto__":"x","constructor":"y"}'), 'Tags')
  assert.deepEqual(Object.entries(tags), [
    ['__proto__', 'x'],
    ['constructor', 'y']
  ])
})

test('whatever the JSON, it is read or refused as a user’s mistake', () => {
  const anything = fc.dictionary(fc.constantFrom(...fieldNames), fc.jsonValue())
  fc.assert(
    fc.property(anything, fc.constantFrom('create', 'update'), (body, operation) => {
      try {
        readMembers(operation, body)
      } catch (error) {
        assert.ok(error instanceof MillraceError && error.status === 400, String(error))
      }
    }),
    { numRuns: 500 }
  )
})

test('long hostile texts are refused without a long look', () => {
  const servers = [`${'a-'.repeat(100_000)}.`, 'a.'.repeat(149)]
  const started = performance.now()
  for (const server of servers)
    assert.throws(
      () =>
        readMembers('create', {
          FunctionName: 'a'.repeat(100_000),
          SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [server] } }
        }),
      { code: 'MILL_CONSTRAINT' }
    )
  assert.ok(performance.now() - started < 1_000)
})
