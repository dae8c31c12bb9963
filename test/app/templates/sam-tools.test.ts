import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe } from 'node:test'
import { readTemplate } from '../../../src/app/templates/read-template.ts'
import { readFixture, root, samFixtures } from './fixtures.ts'
import { lint, samTest, translate } from './sam-tools.ts'

describe('reference 14.2: event source mappings are those that SAM’s translator makes', () => {
  for (const fixture of samFixtures) {
    samTest(`${fixture.name}: the mappings of the translated template are those of the template`, () => {
      const ours = readFixture(fixture)
      const text = translate(fixture)
      const elsewhere = ours.functions.map(fn => fn.name)
      const path = join(dirname(fixture.file), 'translated.json')
      const theirs = readTemplate({ text, path }, { ...fixture.options, elsewhere })
      const bodies = ({ mappings }: typeof ours) =>
        mappings
          .map(({ logicalId, functionName, qualifier, create }) => ({ logicalId, functionName, qualifier, create }))
          .toSorted((one, other) => one.logicalId.localeCompare(other.logicalId))
      assert.ok(ours.mappings.length > 0)
      assert.deepEqual(bodies(ours), bodies(theirs))
      const written = JSON.parse(text) as { Resources: Record<string, { Type: string }> }
      // Events of other kinds make mappings too: not here.
      const made = Object.keys(written.Resources).filter(
        id => written.Resources[id]?.Type === 'AWS::Lambda::EventSourceMapping'
      )
      assert.deepEqual(
        bodies(ours).map(({ logicalId }) => logicalId),
        made.toSorted((one, other) => one.localeCompare(other))
      )
    })
  }
})

describe('the templates the tests read are ones that AWS would take', () => {
  const templates = globSync([
    `${root}/{sam,cfn}-*/template.{yaml,json}`,
    `${root}/cfn-nested/*.yaml`,
    `${root}/cdk/cdk.out/**/*.template.json`
  ])
  samTest('cfn-lint finds no error in any of them', () => {
    assert.ok(templates.length > 10)
    assert.equal(lint(templates), '')
  })

  samTest('cfn-lint finds an error that is put in', t => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'template.yaml')
    const text = readFileSync(join(root, 'cfn-alias', 'template.yaml'), 'utf8')
    writeFileSync(file, text.replace('FunctionName: !Ref OrdersLive', 'FunctionNam: !Ref OrdersLive'))
    assert.match(lint([file]), /FunctionNam/)
  })
})
