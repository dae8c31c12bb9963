import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { knownTypes } from '../../../src/app/templates/physical.ts'
import { templateNames } from '../../../src/app/templates/read-template.ts'
import { samEventProperties, samEventTypes } from '../../../src/app/templates/sam.ts'
import { serverlessEventKinds, serverlessEventProperties } from '../../../src/app/templates/serverless-events.ts'
import { tableRowsOf } from '../../support/markdown.ts'
import { problems, topicOf } from './small.ts'

const page = readFileSync('docs/reference/templates.md', 'utf8')
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
const rows = new Map(tableRowsOf(page).map(([first = '', second = '']) => [first, second]))

describe('docs/reference/templates.md', () => {
  test('has every property of every event, and no other', () => {
    const told = (event: string) => quoted(rows.get(`\`${event}\``) ?? '')
    for (const type of samEventTypes) assert.deepEqual(told(type), samEventProperties(type))
    for (const kind of serverlessEventKinds) assert.deepEqual(told(kind), serverlessEventProperties(kind))
  })

  test('has every type of resource that has values without AWS, and no other', () => {
    const listed = [...page.matchAll(/^- `(AWS::[\w:]+)`$/gm)].map(([, type]) => type)
    assert.deepEqual(listed, knownTypes)
  })

  test('has the names a template is looked for under', () => {
    for (const name of templateNames) assert.ok(page.includes(`\`${name}\``), name)
  })

  test('tells of functions that are known, and says of the others that they have no value', () => {
    const functions = [...rows.keys()].flatMap(quoted).filter(name => name.startsWith('Fn::'))
    assert.ok(functions.length > 12)
    const inConditions = new Set(['Fn::Equals', 'Fn::And', 'Fn::Or', 'Fn::Not', 'Fn::ForEach'])
    for (const name of functions.filter(name => !inConditions.has(name))) {
      assert.doesNotMatch(problems(() => topicOf({ [name]: {} })).join(), /is not known here/, name)
    }
    for (const name of ['Fn::GetAZs', 'Fn::Cidr', 'Fn::Transform']) {
      assert.match(problems(() => topicOf({ [name]: '' })).join(), /has no value here|is not worked out here/)
    }
  })
})
