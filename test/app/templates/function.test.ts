import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { readTemplate } from '../../../src/app/templates/read-template.ts'
import { home, root } from './fixtures.ts'
import { clusterArn, only, problems, read, small } from './small.ts'

const sam = (properties: object, metadata: object = {}) => ({
  Transform: 'AWS::Serverless-2016-10-31',
  Resources: {
    Orders: {
      Type: 'AWS::Serverless::Function',
      Metadata: metadata,
      Properties: {
        Runtime: 'nodejs22.x',
        Events: {
          Kafka: { Type: 'MSK', Properties: { Stream: clusterArn, Topics: ['orders'], StartingPosition: 'LATEST' } }
        },
        ...properties
      }
    }
  }
})
const at = 'Resources.Orders.Properties'
const folder = { kind: 'folder', path: resolve(root, 'code/orders') }

describe('the code of a function', () => {
  test('is a folder, relative to the template', () => {
    assert.deepEqual(only(read(sam({ CodeUri: 'code/orders/', Handler: 'app.handler' }))).fn.code, folder)
    assert.deepEqual(only(read(sam({ CodeUri: resolve(root, 'code/orders'), Handler: 'a.b' }))).fn.code, folder)
    assert.deepEqual(only(read(sam({ Handler: 'a.b' }))).fn.code, { kind: 'folder', path: resolve(root) })
    assert.deepEqual(only(read(small())).fn.code, folder)
  })

  test('is the folder of the template where a dot says so, which YAML libraries take for a number', () => {
    const text = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders: { Type: AWS::Serverless::Function, Properties: { CodeUri: ., Handler: a.b, Runtime: nodejs22.x } }
`
    const { functions } = readTemplate({ text, path: join(root, 'template.yaml') }, home)
    assert.deepEqual(functions[0]?.code, { kind: 'folder', path: resolve(root) })
  })

  test('is the asset of CDK, whatever Code says', () => {
    const template = small({}, {}, { Code: { S3Bucket: { Ref: 'Unknown' } } })
    const resources = template['Resources'] as Record<string, object>
    Object.assign(resources['Orders'] ?? {}, { Metadata: { 'aws:asset:path': 'code/orders' } })
    assert.deepEqual(only(read(template)).fn.code, folder)
  })

  test('is a text for Node.js and Python', () => {
    const inline = (properties: object) => only(read(sam({ Handler: 'index.handler', ...properties }))).fn.code
    assert.deepEqual(inline({ InlineCode: 'a' }), { kind: 'inline', fileName: 'index.js', text: 'a' })
    const python = inline({ InlineCode: { 'Fn::Sub': '"${AWS::Region}"' }, Runtime: 'python3.13' })
    assert.deepEqual(python, { kind: 'inline', fileName: 'index.py', text: '"eu-west-1"' })
    const zip = only(read(small({}, {}, { Code: { ZipFile: 'b' } }))).fn.code
    assert.deepEqual(zip, { kind: 'inline', fileName: 'index.js', text: 'b' })
  })

  const refused: readonly (readonly [properties: object, told: RegExp])[] = [
    [
      { PackageType: 'Image' },
      /^Resources\.Orders\.Properties\.PackageType: is a container image, which is not run here/
    ],
    [{ ImageUri: 'repo:1' }, /^Resources\.Orders\.Properties\.ImageUri: is a container image/],
    [{ CodeUri: 's3://a/b.zip', Handler: 'a.b' }, /Properties\.CodeUri: is not on this machine \(s3:\/\/a\/b\.zip\)/],
    [{ CodeUri: { Bucket: 'a', Key: 'b' }, Handler: 'a.b' }, /Properties\.CodeUri: is in S3/],
    [{ CodeUri: 'nowhere', Handler: 'a.b' }, /Properties\.CodeUri: names .*nowhere, which does not exist/],
    [{ CodeUri: 'code/orders/app.mjs', Handler: 'a.b' }, /Properties\.CodeUri: names .*app\.mjs, which is no folder/],
    [{ InlineCode: 'a', Runtime: 'java21', Handler: 'a' }, /Properties\.InlineCode: is for Node\.js and Python alone/],
    [{ CodeUri: 'code/orders' }, /Properties\.Handler: is missing/]
  ]
  for (const [properties, told] of refused) {
    test(`${JSON.stringify(properties)} is refused`, () =>
      assert.match(problems(() => read(sam(properties))).join(), told))
  }

  test('of a function that runs elsewhere is not looked at, nor is its environment', () => {
    const properties = { PackageType: 'Image', Environment: { Variables: { A: { Ref: 'Nothing' } } } }
    const { fn } = only(read(sam(properties), { elsewhere: ['Orders'] }))
    assert.deepEqual([fn.code, fn.environment, fn.handler], [{ kind: 'elsewhere' }, {}, undefined])
  })

  test('a custom runtime needs no handler', () => {
    assert.equal(only(read(sam({ CodeUri: 'code/orders', Runtime: 'provided.al2023' }))).fn.handler, undefined)
  })
})

describe('build hints of SAM', () => {
  const esbuild = (EntryPoints: string[]) => ({ BuildMethod: 'esbuild', BuildProperties: { EntryPoints } })
  const handlerOf = (handler: string, points: string[]) =>
    only(read(sam({ CodeUri: 'code/typescript', Handler: handler }, esbuild(points)))).fn.handler

  test('a handler that esbuild would make is the source that it is made of', () => {
    assert.equal(handlerOf('orders.handler', ['src/handlers/orders.ts']), 'src/handlers/orders.handler')
    assert.equal(
      handlerOf('handlers/orders.handler', ['src/handlers/orders.ts', './src/other.ts']),
      'src/handlers/orders.handler'
    )
    assert.equal(handlerOf('src/orders.handler', ['src/orders.ts', 'lib/other.ts']), 'src/orders.handler')
    assert.deepEqual(
      problems(() => handlerOf('app.handler', ['src/handlers/orders.ts'])),
      [`${at}.Handler: names app, which no entry point of esbuild builds: it has src/handlers/orders.ts`]
    )
  })

  test('other ways to build are told, unless the template is the built one', t => {
    const template = sam(
      { CodeUri: 'code/orders', Handler: 'bootstrap', Runtime: 'provided.al2023' },
      { BuildMethod: 'makefile' }
    )
    const { notes } = read(template)
    assert.match(
      notes.join(),
      /^Orders is built by makefile: after "sam build", the template \.aws-sam\/build\/template\.yaml/
    )
    const scratch = mkdtempSync(join(tmpdir(), 'millrace-'))
    t.after(() => rmSync(scratch, { recursive: true }))
    const build = join(scratch, '.aws-sam', 'build')
    mkdirSync(join(build, 'Orders'), { recursive: true })
    writeFileSync(join(build, 'Orders', 'orders.js'), '')
    const path = join(build, 'template.yaml')
    const made = (metadata: object) => JSON.stringify(sam({ CodeUri: 'Orders', Handler: 'orders.handler' }, metadata))
    const built = readTemplate({ path, text: made({ BuildMethod: 'makefile' }) }, home)
    assert.deepEqual(built.notes, [])
    const bundled = readTemplate({ path, text: made(esbuild(['src/handlers/orders.ts'])) }, home)
    assert.equal(only(bundled).fn.handler, 'orders.handler')
  })
})

describe('limits and variables of a function', () => {
  test('are those of Lambda where the template has none', () => {
    const { timeoutSeconds, memoryMiB, environment } = only(read(small())).fn
    assert.deepEqual([timeoutSeconds, memoryMiB, environment], [3, 128, {}])
  })

  test('variables are texts; what is no scalar is refused', () => {
    const variables = (Variables: unknown) => read(small({}, {}, { Environment: { Variables } }))
    assert.deepEqual(only(variables({ A: 1, B: false, C: null, D: '' })).fn.environment, { A: '1', B: 'false', D: '' })
    assert.deepEqual(
      problems(() => variables({ A: ['x'], B: { c: 1 } })),
      [
        `${at}.Environment.Variables.A: must be a text, got a list`,
        `${at}.Environment.Variables.B: must be a text, got a map`
      ]
    )
  })

  test('a timeout or memory that is no number is refused', () => {
    assert.deepEqual(
      problems(() => read(small({}, {}, { Timeout: 'long', MemorySize: 1.5 }))),
      [`${at}.Timeout: must be a whole number, got "long"`, `${at}.MemorySize: must be a whole number, got "1.5"`]
    )
  })
})
