import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parameterValue } from '../../../src/app/templates/parameters.ts'
import { problems, read, small, topicOf } from './small.ts'

describe('parameters of a template', () => {
  const taken: readonly (readonly [declared: object, given: string | undefined, value: string | readonly string[]])[] =
    [
      [{ Type: 'String', Default: 'a' }, undefined, 'a'],
      [{ Type: 'String', Default: 'a' }, 'b', 'b'],
      [{ Type: 'String', Default: '' }, undefined, ''],
      [{ Type: 'String', Default: true }, undefined, 'true'],
      [{ Type: 'Number', Default: 5 }, undefined, '5'],
      [{ Type: 'Number', MinValue: 1, MaxValue: '9' }, '9', '9'],
      [{ Type: 'CommaDelimitedList', Default: 'a, b,c' }, undefined, ['a', 'b', 'c']],
      [{ Type: 'CommaDelimitedList' }, '', []],
      [{ Type: 'List<Number>' }, '1,2', ['1', '2']],
      [{ Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1' }, undefined, ['subnet-1']],
      [{ Type: 'AWS::EC2::VPC::Id', Default: 'vpc-1' }, undefined, 'vpc-1'],
      [{ Type: 'String', AllowedValues: ['a', 1] }, '1', '1'],
      [{ Type: 'CommaDelimitedList', AllowedValues: ['a', 'b'] }, 'b,a', ['b', 'a']],
      [{ Type: 'String', AllowedPattern: '[a-z]+' }, 'abc', 'abc'],
      [{ Type: 'String', AllowedPattern: '\\p{Alpha}++' }, 'abc', 'abc'],
      [{ Type: 'AWS::SSM::Parameter::Value<String>', Default: '/name' }, 'given', 'given'],
      [{ Type: 'AWS::SSM::Parameter::Name', Default: '/name' }, undefined, '/name']
    ]
  for (const [declared, given, value] of taken) {
    test(`${JSON.stringify(declared)} given ${given ?? 'nothing'} is ${JSON.stringify(value)}`, () => {
      assert.deepEqual(parameterValue(declared, given, 'say it'), { value })
    })
  }

  const refused: readonly (readonly [declared: unknown, given: string | undefined, problem: RegExp])[] = [
    [{ Type: 'String' }, undefined, /^has no default: say it$/],
    [{ Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: '/n' }, undefined, /in Parameter Store, say it$/],
    [{ Type: 'Number' }, 'many', /^must be a number, got "many"$/],
    [{ Type: 'List<Number>' }, '1,x', /^must be a number, got "x"$/],
    [{ Type: 'Number', MaxValue: 5 }, '6', /^must be at most 5, got "6"$/],
    [{ Type: 'String', MinLength: 3 }, 'ab', /^must be at least 3 characters, got "ab"$/],
    [{ Type: 'String', AllowedValues: ['a', 'b'] }, 'c', /^must be one of a, b, got "c"$/],
    [
      { Type: 'String', AllowedPattern: '[a-z]+', ConstraintDescription: 'small' },
      'A',
      /^must be as \[a-z\]\+ wants it \(small\), got "A"$/
    ],
    [{ Type: 'String', NoEcho: true, MaxLength: 2 }, 'secret', /^must be at most 2 characters, got another value$/],
    [{ Type: 'String', Default: ['a'] }, undefined, /^must be a text, got a list$/],
    [{ Default: 'a' }, undefined, /^needs a Type such as String, got nothing$/],
    ['text', undefined, /^must be a map with a Type, got "text"$/]
  ]
  for (const [declared, given, problem] of refused) {
    test(`${JSON.stringify(declared)} given ${given ?? 'nothing'} is refused`, () => {
      const told = parameterValue(declared, given, 'say it')
      assert.match('problem' in told ? told.problem : '', problem)
    })
  }

  test('how to give one that has no default is told: on the command line, or in the parent stack', () => {
    assert.deepEqual(
      problems(() => topicOf({ Ref: 'Topic' }, { Parameters: { Topic: { Type: 'String' } } })),
      ['Parameters.Topic: has no default: give it with --parameter Topic=VALUE']
    )
    const Nested = { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: 'cfn-nested/shop.yaml' } }
    const told = problems(() => read(small({}, { Resources: { Nested } })))
    const wanted = 'Parameters.Topic: has no default: give it as Resources.Nested.Properties.Parameters.Topic of '
    assert.ok(
      told.some(line => line.startsWith(wanted)),
      told.join('\n')
    )
  })

  test('whole numbers stay what they are, however long', () => {
    const text = `
Parameters: { Topic: { Type: String, Default: 12345678901234567890 } }
Resources:
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: elsewhere
      SelfManagedEventSource: { Endpoints: { KafkaBootstrapServers: ['a:1'] } }
      Topics: [!Ref Topic]
`
    assert.deepEqual(read(text).mappings[0]?.create.Topics, ['12345678901234567890'])
  })

  test('what is given wins over the default, and is told once where it will not do', () => {
    const Parameters = { Topic: { Type: 'String', Default: 'orders', AllowedValues: ['orders', 'returns'] } }
    assert.equal(topicOf({ Ref: 'Topic' }, { Parameters }, { parameters: { Topic: 'returns' } }), 'returns')
    const twice = small({ Topics: [{ Ref: 'Topic' }], StartingPosition: { Ref: 'Topic' } }, { Parameters })
    assert.deepEqual(
      problems(() => read(twice, { parameters: { Topic: 'x' } })),
      ['Parameters.Topic: must be one of orders, returns, got "x"']
    )
  })
})
