import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocksOf, PageUnderTest } from './page-blocks.ts'

const markdown = `# First

\`\`\`yaml
a: 1
\`\`\`

## Second

\`\`\`sh
# no heading
true
\`\`\`

| name | means |
| ---- | ----- |
| a    | one   |

- in a list:

  \`\`\`js file=a.mjs
  1
  \`\`\`
`

test('blocks are known by their section, their place in it, their language and their file', () => {
  assert.deepEqual(
    blocksOf(markdown).map(({ heading, nth, language, file }) => [heading, nth, language, file]),
    [
      ['First', 0, 'yaml', undefined],
      ['Second', 0, 'sh', undefined],
      ['Second', 1, 'js', 'a.mjs']
    ]
  )
})

test('a block that no test asked for is named, and so is one that is not there', () => {
  const page = new PageUnderTest('page.md', markdown)
  assert.equal(page.block('First').text, 'a: 1\n')
  page.leave('Second', 1, 'needs somebody to look at it')
  assert.throws(() => page.assertWhole(), /sh block 0 under "Second"/)
  page.block('Second')
  page.assertWhole()
  assert.throws(() => page.block('First', 1), /page\.md has no block 1 under "First"/)
})

test('rows of a section’s table are found by their first cell', () => {
  const page = new PageUnderTest('page.md', markdown)
  assert.deepEqual([...page.rows('Second')], [['a', ['one']]])
  assert.throws(() => page.rows('First'), /no table/)
})
