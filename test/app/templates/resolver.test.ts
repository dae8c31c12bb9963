import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterArn, only, problems, read, small, topicOf } from './small.ts'

const extensions = { Transform: 'AWS::LanguageExtensions' }
const sections = {
  Parameters: { Name: { Type: 'String', Default: 'orders' }, Names: { Type: 'CommaDelimitedList', Default: 'a1, b2' } },
  Mappings: { Topics: { prod: { main: 'orders-prod', all: ['x1', 'y1'] } } },
  Conditions: { Yes: { 'Fn::Equals': [1, '1'] }, No: { 'Fn::Not': [{ Condition: 'Yes' }] } }
}

describe('functions of CloudFormation', () => {
  const values: readonly (readonly [node: unknown, value: string])[] = [
    [{ Ref: 'Name' }, 'orders'],
    [{ Ref: 'AWS::Region' }, 'eu-west-1'],
    [{ Ref: 'AWS::AccountId' }, '000000000000'],
    [{ Ref: 'AWS::Partition' }, 'aws'],
    [{ Ref: 'AWS::StackName' }, 'local'],
    [{ 'Fn::Sub': '${Name}-${AWS::Region}-${Orders}' }, 'orders-eu-west-1-Orders'],
    [{ 'Fn::Sub': ['${Here}-${Name}', { Here: { Ref: 'Name' } }] }, 'orders-orders'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'Name' }, 1]] }, 'a-orders-1'],
    [{ 'Fn::Join': ['', { Ref: 'Names' }] }, 'a1b2'],
    [{ 'Fn::Select': [1, { Ref: 'Names' }] }, 'b2'],
    [{ 'Fn::Select': ['0', { 'Fn::Split': [':', 'aa:bb'] }] }, 'aa'],
    [{ 'Fn::If': ['Yes', 'yes', { Ref: 'Nothing' }] }, 'yes'],
    [{ 'Fn::If': ['No', { Ref: 'Nothing' }, 'no'] }, 'no'],
    [{ 'Fn::FindInMap': ['Topics', { 'Fn::Sub': 'prod' }, 'main'] }, 'orders-prod'],
    [{ 'Fn::Select': [1, { 'Fn::FindInMap': ['Topics', 'prod', 'all'] }] }, 'y1'],
    [{ 'Fn::Base64': 'ab' }, 'YWI=']
  ]
  for (const [node, value] of values) {
    const text = JSON.stringify(node)
    // '=' is nothing a topic may have: what it comes to is looked at before the limits of topics.
    if (value.includes('=')) {
      test(`${text} is ${value}`, () => assert.match(problems(() => topicOf(node, sections)).join(), new RegExp(value)))
    } else test(`${text} is ${value}`, () => assert.equal(topicOf(node, sections), value))
  }

  test('${!Name} in Fn::Sub stays, without its mark', () => {
    const template = small({ FilterCriteria: { Filters: [{ Pattern: { 'Fn::Sub': '${!Name}' } }] } }, sections)
    assert.deepEqual(only(read(template)).mapping.create['FilterCriteria'], { Filters: [{ Pattern: '${Name}' }] })
  })

  test('AWS::NoValue leaves out what it is given to', () => {
    const { create } = only(
      read(small({ BatchSize: { Ref: 'AWS::NoValue' }, Topics: [{ Ref: 'AWS::NoValue' }, 'orders'] }))
    ).mapping
    assert.deepEqual([create['BatchSize'], create.Topics], [undefined, ['orders']])
  })

  test('the short forms of YAML are the long ones', () => {
    const text = `
Parameters: { Name: { Type: String, Default: orders } }
Mappings: { Topics: { eu-west-1: { main: returns } } }
Conditions:
  Always: !And [!Equals [a, a], !Or [!Condition Never, !Equals [b, b]]]
  Never: !Not [!Equals [!Ref Name, orders]]
Resources:
  Orders:
    Type: AWS::Lambda::Function
    Properties: { Code: code/orders, Handler: app.handler, Runtime: nodejs22.x, Timeout: !If [Always, 9, 8] }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !GetAtt Orders.Arn
      EventSourceArn: !Sub
        - 'arn:aws:kafka:\${AWS::Region}:\${Account}:cluster/shop/uuid-1'
        - Account: !Join ['', ['123456', '789012']]
      Topics: [!FindInMap [Topics, !Ref AWS::Region, main]]
`
    const { fn, mapping } = only(read(text))
    assert.equal(fn.timeoutSeconds, 9)
    assert.equal(mapping.create.EventSourceArn, 'arn:aws:kafka:eu-west-1:123456789012:cluster/shop/uuid-1')
    assert.deepEqual([mapping.functionName, mapping.create.Topics], ['Orders', ['returns']])
  })

  test('an import has the value that is given for its name', () => {
    const template = small({ EventSourceArn: { 'Fn::ImportValue': { 'Fn::Sub': '${AWS::StackName}-cluster' } } })
    const result = read(template, { imports: { 'local-cluster': clusterArn } })
    assert.equal(only(result).mapping.create.EventSourceArn, clusterArn)
    assert.deepEqual(
      problems(() => read(template)),
      [
        'Resources.Mapping.Properties.EventSourceArn: imports local-cluster from another stack: give it with --import local-cluster=VALUE'
      ]
    )
  })
})

describe('AWS::LanguageExtensions', () => {
  test('Fn::Length, Fn::ToJsonString, the default of Fn::FindInMap and Fn::Sub in Fn::GetAtt work with the transform', () => {
    const lists = { ...sections, ...extensions }
    assert.equal(topicOf({ 'Fn::Join': ['', ['t', { 'Fn::Length': { Ref: 'Names' } }]] }, lists), 't2')
    assert.equal(topicOf({ 'Fn::FindInMap': ['Topics', 'x', 'y', { DefaultValue: { Ref: 'Name' } }] }, lists), 'orders')
    const pattern = { 'Fn::ToJsonString': { value: { n: [{ Ref: 'Name' }] } } }
    const { create } = only(read(small({ FilterCriteria: { Filters: [{ Pattern: pattern }] } }, lists))).mapping
    assert.deepEqual(create['FilterCriteria'], { Filters: [{ Pattern: '{"value":{"n":["orders"]}}' }] })
    const arn = { 'Fn::GetAtt': [{ 'Fn::Sub': 'Or${End}' }, 'Arn'] }
    const ending = { Parameters: { End: { Type: 'String', Default: 'ders' } } }
    assert.equal(only(read(small({ FunctionName: arn }, { ...extensions, ...ending }))).mapping.functionName, 'Orders')
  })

  test('without the transform they are refused, and say which', () => {
    for (const node of [
      { 'Fn::Length': [1] },
      { 'Fn::ToJsonString': {} },
      { 'Fn::FindInMap': ['a', 'b', 'c', { DefaultValue: 1 }] }
    ]) {
      const [told = ''] = problems(() => topicOf(node))
      assert.match(told, /^Resources\.Mapping\.Properties\.Topics\[0\]: .*needs the transform AWS::LanguageExtensions$/)
    }
  })

  test('loops inside of loops, and in the properties of a resource, are written out', () => {
    const template = small(
      {},
      {
        ...extensions,
        Resources: {
          'Fn::ForEach::Regions': [
            'Region',
            ['eu', 'us'],
            {
              'Fn::ForEach::Kinds': [
                'Kind',
                ['new', 'old'],
                {
                  'M${Region}${Kind}': {
                    Type: 'AWS::Lambda::EventSourceMapping',
                    Properties: {
                      FunctionName: 'Orders',
                      EventSourceArn: clusterArn,
                      Topics: [{ 'Fn::Sub': '${Region}.${Kind}' }]
                    }
                  }
                }
              ]
            }
          ]
        }
      },
      { Environment: { Variables: { 'Fn::ForEach::V': ['V', ['A', 'B'], { 'NAME_${V}': { Ref: 'V' } }] } } }
    )
    const { mappings, functions } = read(template)
    const topics = mappings.map(({ logicalId, create }) => `${logicalId} ${create.Topics?.join()}`)
    assert.deepEqual(topics, ['Mapping orders', 'Meunew eu.new', 'Meuold eu.old', 'Musnew us.new', 'Musold us.old'])
    assert.deepEqual(functions[0]?.environment, { NAME_A: 'A', NAME_B: 'B' })
  })

  test('what is wrong inside of a loop is told where it was written', () => {
    const body = { 'F${X}': { Type: 'AWS::Lambda::EventSourceMapping', Properties: { Topics: [{ Ref: 'Z' }] } } }
    const told = problems(() => read(small({}, { ...extensions, Resources: { 'Fn::ForEach::L': ['X', ['1'], body] } })))
    assert.equal(
      told[0],
      'Resources.Fn::ForEach::L[2]["F${X}"].Properties.Topics[0]: refers to Z, which is no parameter and no resource of the template'
    )
  })
})

describe('what has no value is refused with its path', () => {
  const at = 'Resources.Mapping.Properties.Topics[0]'
  const refusals: readonly (readonly [node: unknown, told: string])[] = [
    [{ Ref: 'Nam' }, `${at}: refers to Nam, which is no parameter and no resource of the template: Name is one`],
    [{ 'Fn::GetAtt': 'Order.Arn' }, `${at}: refers to Order, which is no resource of the template: Orders is one`],
    [
      { 'Fn::GetAtt': ['Orders', 'Size'] },
      `${at}: refers to Orders.Size, and what Size of AWS::Lambda::Function gives is known at AWS alone: give it with --resource Orders.Size=VALUE`
    ],
    [{ 'Fn::Sub': 'a-${Names}' }, `${at}: \${Names} in Fn::Sub must be a text, got a list`],
    [{ 'Fn::Select': [5, { Ref: 'Names' }] }, `${at}: Fn::Select wants the item 5 of a list of 2`],
    [{ 'Fn::Join': ['-', 'text'] }, `${at}: Fn::Join needs a list, got "text"`],
    [{ 'Fn::FindInMap': ['Topics', 'test', 'main'] }, `${at}: Mappings has no Topics.test.main`],
    [{ 'Fn::If': ['Yess', 'a', 'b'] }, `${at}: names the condition Yess, which the template does not have: Yes is one`],
    [{ 'Fn::GetAZs': '' }, `${at}: Fn::GetAZs asks AWS: it has no value here`],
    [{ 'Fn::Transform': {} }, `${at}: Fn::Transform runs a macro at AWS: it has no value here`],
    [{ 'Fn::Nothing': 1 }, `${at}: Fn::Nothing is not known here`],
    ['{{resolve:ssm:/topic:1}}', `${at}: {{resolve:ssm:/topic:1}} is a value that is kept at AWS: it has none here`],
    [{ a: 1 }, `${at}: must be a text, got a map`]
  ]
  for (const [node, told] of refusals) {
    test(`${JSON.stringify(node)} is refused`, () =>
      assert.deepEqual(
        problems(() => topicOf(node, sections)),
        [told]
      ))
  }

  test('conditions that need each other have no value', () => {
    const Conditions = { A: { 'Fn::Not': [{ Condition: 'B' }] }, B: { 'Fn::Not': [{ Condition: 'A' }] } }
    const [told] = problems(() => topicOf({ 'Fn::If': ['A', 'a', 'b'] }, { Conditions }))
    assert.equal(told, 'Conditions.B.Fn::Not[0]: refers to itself in the end')
  })

  test('many conditions that are asked twice each are worked out once', () => {
    const Conditions = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [
        `C${i}`,
        i === 0 ? { 'Fn::Equals': [1, 1] } : { 'Fn::And': [{ Condition: `C${i - 1}` }, { Condition: `C${i - 1}` }] }
      ])
    )
    assert.equal(topicOf({ 'Fn::If': ['C59', 'yes', 'no'] }, { Conditions }), 'yes')
  })
})
