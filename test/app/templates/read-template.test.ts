import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { findTemplate, readTemplate, TemplateError } from '../../../src/app/templates/read-template.ts'
import { samEventProperties } from '../../../src/app/templates/sam.ts'
import { TemplateSource } from '../../../src/app/templates/source.ts'
import { fixture, fixtures, home, readFixture, root } from './fixtures.ts'
import { clusterArn, only, problems, read, small } from './small.ts'

const sam = (fn: object, sections: object = {}) => ({
  Transform: 'AWS::Serverless-2016-10-31',
  ...sections,
  Resources: {
    Orders: {
      Type: 'AWS::Serverless::Function',
      Properties: { CodeUri: 'code/orders', Handler: 'app.handler', Runtime: 'nodejs22.x', ...fn }
    }
  }
})
const msk = (properties: object) => ({
  Events: {
    Kafka: {
      Type: 'MSK',
      Properties: { Stream: clusterArn, Topics: ['orders'], StartingPosition: 'LATEST', ...properties }
    }
  }
})

describe('errors', () => {
  test('all are told at once, with the line and the path where they were written', () => {
    const text = `
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Timeout: soon
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/orders
      Handler: app.handler
      Runtime: nodejs22.x
      Events:
        Kafka:
          Type: MSK
          Properties:
            Stream: !Ref Cluster
            Topics:
              - !Ref Topic
            StartingPosition: LATEST
            BatchSze: 5
`
    const error = errorOf(() => read(text))
    assert.equal(error.code, 'MILL_TEMPLATE')
    assert.deepEqual(
      error.problems.map(({ path, line, column }) => ({ path, line, column })),
      [
        { path: 'Resources.Orders.Properties.Events.Kafka.Properties.BatchSze', line: 21, column: 13 },
        { path: 'Resources.Orders.Properties.Events.Kafka.Properties.Stream', line: 17, column: 13 },
        { path: 'Resources.Orders.Properties.Events.Kafka.Properties.Topics[0]', line: 19, column: 22 }
      ]
    )
    assert.match(error.message, /template\.yaml cannot be run as it is: 3 problems\n {2}21:13 Resources\.Orders/)
    assert.match(error.message, /BatchSze: is no property of an event of the type MSK: BatchSize is one/)
    const fixed = text
      .replace('!Ref Cluster', clusterArn)
      .replace('!Ref Topic', 'orders')
      .replace('BatchSze', 'BatchSize')
    const [timeout] = errorOf(() => read(fixed)).problems
    assert.deepEqual([timeout?.path, timeout?.line], ['Globals.Function.Timeout', 5])
  })

  test('a text that is no YAML is told with the line', () => {
    const error = errorOf(() => read('Resources:\n  A: [1, 2\n'))
    assert.equal(error.code, 'MILL_TEMPLATE_UNREADABLE')
    assert.equal(error.problems[0]?.line, 3)
    assert.match(errorOf(() => read('{ "Resources": { "A": ] }')).message, /1:\d+/)
    assert.match(errorOf(() => read('Resources:\n  A: *b\n')).message, /2:6: there is no anchor &b$/)
  })

  test('a file that is missing, empty or something else is told', () => {
    assert.match(
      errorOf(() => readTemplate(`${root}/not-there.yaml`, home)).message,
      /not-there\.yaml cannot be read: ENOENT/
    )
    for (const text of ['', 'just text', '[1]', 'Resources: 5', 'a: 1']) {
      assert.match(errorOf(() => read(text)).message, /is no template: it has no Resources/)
    }
    assert.match(errorOf(() => readTemplate(`${root}/code`, home)).message, /has none of template\.yaml, /)
  })

  test('a key that is there twice is told, not the last one taken', () => {
    assert.match(errorOf(() => read('Resources: {}\nResources: {}\n')).message, /2:1: .*unique/)
  })

  test('what AWS’s model refuses of a body is told at the mapping', () => {
    const [told = ''] = problems(() => read(small({ BatchSize: 20_000 })))
    assert.match(told, /^Resources\.Mapping\.Properties: 1 validation error detected: Value '20000' at 'batchSize'/)
  })

  test('aliases of aliases without end are refused', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `  a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`)
    const text = `Metadata:\n  a0: &a0 [x]\n${levels.join('\n')}\nResources: {}\n`
    assert.match(errorOf(() => read(text)).message, /aliases stand for more than 200000 values/)
  })

  test('what holds itself, or is nested without end, is refused', () => {
    const deep = '['.repeat(5_000) + ']'.repeat(5_000)
    const json = JSON.stringify(small({ Topics: ['deep'] })).replace('"deep"', deep)
    for (const text of [
      'Metadata: &a [*a]\nResources: {}\n',
      'Resources: &a { A: *a }\n',
      `Resources: ${deep}`,
      json
    ]) {
      assert.equal(errorOf(() => read(text)).code, 'MILL_TEMPLATE_UNREADABLE')
    }
  })

  test('whatever one puts into a template: an answer, or an error that says where', () => {
    const scalars = [null, true, 0, '', 'constructor', '${self:custom}', '${self:a', '${opt:x}']
    const collections = [[], {}, ['a'], [[null]], { Condition: 'IsProd' }, { 'Fn::ForEach::a': 1 }]
    const references = [{ Ref: 'X' }, { Ref: 1 }, { 'Fn::GetAtt': 'a' }, { 'Fn::GetAtt': 'constructor.toString' }]
    const calls = [{ 'Fn::Sub': '${' }, { 'Fn::If': [1] }, { 'Fn::Join': [',', [1, {}]] }]
    const junk = fc.constantFrom<unknown[]>(...scalars, ...collections, ...references, ...calls)
    for (const { name, file, options } of fixtures.filter(({ name }) => name !== 'cdk')) {
      const tree = new TemplateSource(file, readFileSync(file, 'utf8')).root
      const property = fc.property(fc.constantFrom(...placesOf(tree)), junk, (place, value) => {
        const text = JSON.stringify(replaced(tree, place, value))
        try {
          assert.ok(Array.isArray(readTemplate({ text, path: file }, options).mappings))
        } catch (error) {
          assert.ok(error instanceof TemplateError, `${name} ${place.join('.')}: ${String(error)}`)
          assert.ok(error.problems.every(({ message }) => message !== '' && !/undefined|\[object/.test(message)))
        }
      })
      fc.assert(property, { numRuns: 60 })
    }
  })
})

describe('what is not needed is not looked at', () => {
  test('resources, outputs and parameters that no function and no mapping needs may be anything', () => {
    const template = small(
      {},
      {
        Parameters: { Ami: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/a' }, Given: { Type: 'String' } },
        Conditions: { Never: { 'Fn::Transform': {} } },
        Outputs: { Ami: { Value: { Ref: 'Nothing' } } },
        Resources: {
          Server: { Type: 'AWS::EC2::Instance', Condition: 'Never', Properties: { ImageId: { Ref: 'Ami' } } }
        }
      }
    )
    assert.equal(only(read(template)).fn.name, 'Orders')
  })

  test('a function that cannot be run is left out when no mapping needs it, and refused when one does', () => {
    const Other = { Type: 'AWS::Lambda::Function', Properties: { Code: { S3Bucket: 'b', S3Key: 'k' }, Handler: 'a.b' } }
    const { functions, notes } = read(small({}, { Resources: { Other } }))
    assert.deepEqual(
      functions.map(fn => fn.name),
      ['Orders']
    )
    assert.match(
      notes.join('\n'),
      /^Other is left out, as no mapping needs it and Resources\.Other\.Properties\.Code is in S3/
    )
    assert.deepEqual(
      problems(() => read(small({ FunctionName: { Ref: 'Other' } }, { Resources: { Other } }))),
      ['Resources.Other.Properties.Code: is in S3: name the folder that it was packed from']
    )
  })

  test('mappings of queues and streams are left out with a note, whether their source has a value or not', () => {
    for (const EventSourceArn of ['arn:aws:sqs:eu-west-1:123456789012:q', { 'Fn::GetAtt': 'Table.StreamArn' }]) {
      const Other = { Type: 'AWS::Lambda::EventSourceMapping', Properties: { FunctionName: 'Orders', EventSourceArn } }
      const { mappings, notes } = read(small({}, { Resources: { Other, Table: { Type: 'AWS::DynamoDB::Table' } } }))
      assert.deepEqual([mappings.length, notes], [1, ['Other reads from no Kafka topic: it is not run.']])
    }
  })

  test('resources whose condition is false are dropped; what refers to them is told', () => {
    const Conditions = { Never: { 'Fn::Equals': [1, 2] } }
    const Other = {
      Type: 'AWS::Lambda::EventSourceMapping',
      Condition: 'Never',
      Properties: { EventSourceArn: clusterArn }
    }
    const Unused = { Type: 'AWS::Lambda::Function', Condition: 'Never' }
    assert.equal(only(read(small({}, { Conditions, Resources: { Other, Unused } }))).mapping.logicalId, 'Mapping')
    const template = small({ FunctionName: { Ref: 'Unused' } }, { Conditions, Resources: { Unused } })
    assert.deepEqual(
      problems(() => read(template)),
      ['Resources.Mapping.Properties.FunctionName: refers to Unused, which is not made: its condition is false']
    )
  })

  test('DependsOn of a mapping has to name resources', () => {
    const template = small()
    Object.assign((template['Resources'] as Record<string, object>)['Mapping'] ?? {}, {
      DependsOn: ['Orders', 'Policy']
    })
    assert.deepEqual(
      problems(() => read(template)),
      ['Resources.Mapping.DependsOn: names Policy, which is no resource of the template']
    )
  })
})

describe('reference 14.1: properties of AWS::Lambda::EventSourceMapping', () => {
  test('texts become the numbers and truths the API wants', () => {
    const { create } = only(read(small({ BatchSize: '7', Enabled: 'False', MaximumRetryAttempts: '-1' }))).mapping
    assert.deepEqual([create['BatchSize'], create['Enabled'], create['MaximumRetryAttempts']], [7, false, -1])
  })

  test('names that differ are the API’s in the body, and only CloudFormation’s are taken', () => {
    const { create } = only(
      read(small({ KmsKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/k', Tags: [{ Key: 'a', Value: 1 }] }))
    ).mapping
    assert.deepEqual([create['KMSKeyArn'], create['Tags']], ['arn:aws:kms:eu-west-1:123456789012:key/k', { a: '1' }])
    assert.match(
      problems(() => read(small({ KMSKeyArn: 'k' }))).join(),
      /KMSKeyArn: is no property .*: KmsKeyArn is one/
    )
  })

  const wrong: readonly (readonly [properties: Record<string, unknown>, told: string])[] = [
    [{ Topics: 'orders' }, 'Topics: must be a list, got "orders"'],
    [{ BatchSize: 'many' }, 'BatchSize: must be a whole number, got "many"'],
    [{ Enabled: 'maybe' }, 'Enabled: must be true or false, got "maybe"'],
    [{ Tags: { a: 'b' } }, 'Tags: must be a list of Key and Value, got a map'],
    [
      { FilterCriteria: { Filter: [] } },
      'FilterCriteria.Filter: is not known here: event source mappings have no such property'
    ],
    [{ Topics: undefined }, 'Topics: is missing'],
    [{ FunctionName: undefined }, 'FunctionName: is missing'],
    [{ FunctionName: 'a b' }, 'FunctionName: ']
  ]
  for (const [properties, told] of wrong) {
    test(`${JSON.stringify(properties)} is refused`, () => {
      const [first = ''] = problems(() => read(small(properties)))
      assert.ok(first.startsWith(`Resources.Mapping.Properties.${told}`) || first.includes("'functionName'"), first)
    })
  }

  test('a function that is in no template keeps the name it was given, with a note', () => {
    const arn = 'arn:aws:lambda:us-east-1:999999999999:function:far:live'
    const { mappings, notes } = read(small({ FunctionName: arn }))
    assert.deepEqual([mappings[0]?.functionName, mappings[0]?.create.FunctionName], [arn, arn])
    assert.deepEqual(notes, [`Mapping calls ${arn}, which is no function of the template.`])
  })

  test('a function whose name Lambda would not take is left out, or refused with its mapping', () => {
    const Bad = {
      Type: 'AWS::Lambda::Function',
      Properties: { FunctionName: 'a b', Code: 'code/orders', Handler: 'a.b' }
    }
    const told = /Resources\.Bad\.Properties\.FunctionName must be 1 to 64 letters, digits, '-' and '_', got "a b"/
    assert.match(read(small({}, { Resources: { Bad } })).notes.join(), told)
    assert.match(
      problems(() => read(small({ FunctionName: { Ref: 'Bad' } }, { Resources: { Bad } }))).join(),
      /'functionName'/
    )
  })

  test('two functions of one name are refused', () => {
    const Twin = {
      Type: 'AWS::Lambda::Function',
      Properties: { FunctionName: 'Orders', Code: 'code/orders', Handler: 'a.b' }
    }
    assert.match(
      problems(() => read(small({}, { Resources: { Twin } }))).join(),
      /Twin\.Properties: has the name Orders, which Resources\.Orders has/
    )
  })
})

describe('reference 14.2: SAM', () => {
  test('every property of the page is taken by one of the fixtures, and nothing else is', () => {
    const used = new Set(['sam-msk', 'sam-self-managed'].flatMap(name => propertiesOf(fixture(name).file)))
    // For streams of other kinds alone at AWS; the translator hands it on.
    used.add('ParallelizationFactor')
    assert.deepEqual(
      [...new Set([...samEventProperties('MSK'), ...samEventProperties('SelfManagedKafka')])].toSorted(),
      [...used].toSorted()
    )
  })

  test('Stream, StartingPosition and topics are needed', () => {
    const told = problems(() => read(sam(msk({ Stream: undefined, StartingPosition: undefined, Topics: undefined }))))
    for (const name of ['Stream', 'StartingPosition', 'Topics']) {
      assert.ok(
        told.some(line => line.startsWith(`Resources.Orders.Properties.Events.Kafka.Properties.${name}: is missing`)),
        name
      )
    }
  })

  test('maps of Globals are merged, of everything else the function’s own wins', () => {
    const Globals = {
      Function: { Timeout: 9, MemorySize: 300, Environment: { Variables: { A: 'g', B: { Ref: 'AWS::Region' } } } }
    }
    const { fn } = only(
      read(sam({ ...msk({}), MemorySize: 400, Environment: { Variables: { A: 'own' } } }, { Globals }))
    )
    assert.deepEqual([fn.timeoutSeconds, fn.memoryMiB, fn.environment], [9, 400, { A: 'own', B: 'eu-west-1' }])
  })

  test('a cluster without authentication is taken, with a note that SAM does not', () => {
    const Properties = { KafkaBootstrapServers: ['localhost:9092'], Topics: ['orders'] }
    const { mappings, notes } = read(sam({ Events: { Kafka: { Type: 'SelfManagedKafka', Properties } } }))
    assert.deepEqual(mappings[0]?.create.SelfManagedEventSource?.Endpoints, {
      KAFKA_BOOTSTRAP_SERVERS: ['localhost:9092']
    })
    assert.match(notes.join(), /SAM refuses to deploy it/)
  })

  test('what SAM makes beside a function can be referred to: its version and its alias', () => {
    for (const name of ['Orders.Alias', 'OrdersAliaslive']) {
      const template = sam({ AutoPublishAlias: 'live' })
      const Mapping = {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: { FunctionName: { Ref: name }, EventSourceArn: clusterArn, Topics: ['orders'] }
      }
      const { mapping } = only(read({ ...template, Resources: { ...template.Resources, Mapping } }))
      assert.deepEqual(
        [mapping.functionName, mapping.qualifier, mapping.create.FunctionName],
        ['Orders', 'live', 'Orders:live']
      )
    }
  })

  test('a SAM function without the transform is told', () => {
    assert.match(
      problems(() => read({ ...sam(msk({})), Transform: undefined })).join(),
      /Resources\.Orders\.Type: needs Transform: AWS::Serverless/
    )
  })
})

describe('what is given from outside', () => {
  test('resources known at AWS alone have the value that is given, by Ref and by attribute', () => {
    const Table = { Type: 'AWS::Custom::Table' }
    const Environment = { Variables: { NAME: { Ref: 'Table' }, ARN: { 'Fn::GetAtt': 'Table.Arn' } } }
    const template = small({}, { Resources: { Table } }, { Environment })
    const { fn } = only(read(template, { resources: { Table: 't', 'Table.Arn': 'arn:t' } }))
    assert.deepEqual(fn.environment, { NAME: 't', ARN: 'arn:t' })
    assert.deepEqual(
      problems(() => read(template)),
      ['NAME: refers to Table', 'ARN: refers to Table.Arn'].map(
        text =>
          `Resources.Orders.Properties.Environment.Variables.${text}, and what AWS::Custom::Table gives is known at AWS alone: give it with --resource ${text.split(' ').at(-1)}=VALUE`
      )
    )
  })

  test('variables of the environment that are given need no value in the template', () => {
    const Environment = { Variables: { SECRET: '{{resolve:secretsmanager:a}}', A: 1 } }
    const environment = { Parameters: { A: '2' }, Orders: { SECRET: 's', MORE: 'm' } }
    assert.deepEqual(only(read(small({}, {}, { Environment }), { environment })).fn.environment, {
      SECRET: 's',
      A: '2',
      MORE: 'm'
    })
  })

  test('a parameter that the template does not have is told', () => {
    const Parameters = { Topic: { Type: 'String', Default: 'orders' } }
    assert.deepEqual(
      problems(() => read(small({}, { Parameters }), { parameters: { Topik: 'a' } })),
      ['Parameters: --parameter Topik: the template has no such parameter, but Topic']
    )
  })

  test('names that are made up are the same every time, and other ones in another stack', () => {
    const arnIn = (stackName: string) =>
      only(
        read(
          small(
            { EventSourceArn: { Ref: 'Own' } },
            { Resources: { Own: { Type: 'AWS::MSK::Cluster', Properties: { ClusterName: 'c' } } } }
          ),
          { stackName }
        )
      ).mapping.create.EventSourceArn
    assert.match(
      arnIn('a') ?? '',
      /^arn:aws:kafka:eu-west-1:000000000000:cluster\/c\/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}-1$/
    )
    assert.equal(arnIn('a'), arnIn('a'))
    assert.notEqual(arnIn('a'), arnIn('b'))
  })
})

describe('folders', () => {
  test('the template of a folder is found by its name', t => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
    t.after(() => rmSync(folder, { recursive: true }))
    assert.equal(findTemplate(folder), undefined)
    mkdirSync(join(folder, 'cdk.out'))
    assert.equal(findTemplate(folder), join(folder, 'cdk.out'))
    writeFileSync(join(folder, 'template.yml'), JSON.stringify(small()))
    assert.equal(findTemplate(folder), join(folder, 'template.yml'))
    assert.match(problems(() => readTemplate(folder, home)).join(), /Code: names .*orders, which does not exist/)
  })

  test('outputs of a nested stack are what its parent refers to', () => {
    const { mappings } = readFixture(fixture('cfn-nested'))
    assert.deepEqual(
      mappings.map(({ functionName, create }) => [functionName, create.Topics?.[0]]),
      [
        ['Shop-Orders', 'returns'],
        ['Shop-Orders', 'orders']
      ]
    )
  })

  test('exports of one stack of cdk.out are the imports of another, and nested stacks are their parent’s', () => {
    const { functions, mskArns } = readFixture(fixture('cdk'))
    assert.equal(mskArns.length, 1)
    assert.deepEqual(
      functions.map(fn => fn.code),
      ['asset.orders', 'asset.audit', 'asset.orders'].map(asset => ({
        kind: 'folder',
        path: resolve(root, 'cdk/cdk.out', asset)
      }))
    )
  })
})

function errorOf(run: () => unknown): TemplateError {
  try {
    run()
  } catch (error) {
    if (error instanceof TemplateError) return error
    throw error
  }
  throw new Error('no error')
}

/** The names of the properties of the Kafka events of a SAM template. */
function propertiesOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const events = /Type: (?:MSK|SelfManagedKafka)\n( +)Properties:\n((?:\1 .*\n)+)/.exec(text)
  const indent = `${events?.[1] ?? ''}  `
  return [...(events?.[2] ?? '').matchAll(new RegExp(`^${indent}(\\w+):`, 'gm'))].map(([, name = '']) => name)
}

type Place = readonly (string | number)[]

function placesOf(node: unknown, place: Place = []): Place[] {
  const members = typeof node === 'object' && node !== null ? Object.entries(node) : []
  const steps = members.map(([key, value]): [string | number, unknown] => [
    Array.isArray(node) ? Number(key) : key,
    value
  ])
  return [place, ...steps.flatMap(([step, value]) => placesOf(value, [...place, step]))]
}

function replaced(node: unknown, [step, ...rest]: Place, value: unknown): unknown {
  if (step === undefined) return value
  if (Array.isArray(node)) return node.map((item: unknown, i) => (i === step ? replaced(item, rest, value) : item))
  const tree = node as Record<string, unknown>
  return { ...tree, [step]: replaced(tree[step], rest, value) }
}
