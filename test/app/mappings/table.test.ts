import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sheet, tabbed, table } from '../../../src/app/mappings/table.ts'

const plain = { columns: undefined, colour: false }

test('columns are as wide as what they hold', () => {
  assert.equal(
    table(
      ['A', 'LONG'],
      [
        ['long', 'b'],
        ['c', '']
      ],
      plain
    ),
    'A     LONG\nlong  b\nc\n'
  )
})

test('on a narrow terminal the widest columns give way, and no line is wider than it', () => {
  const rows = [['0123456789'.repeat(5), 'short', '0123456789'.repeat(3)]]
  const [, row] = table(['A', 'B', 'C'], rows, { columns: 40, colour: false }).split('\n')
  assert.ok(row!.length <= 40, row)
  assert.match(row!, /^\d+…  short  +\d+…$/)
  const anyRows = fc.array(fc.tuple(fc.string(), fc.string(), fc.string()))
  fc.assert(
    fc.property(anyRows, fc.integer({ min: 28, max: 200 }), (rows, columns) => {
      for (const line of table(['A', 'B', 'C'], rows, { columns, colour: false }).split('\n')) {
        assert.ok(line.length <= columns)
      }
    })
  )
})

test('what a value holds can neither break a line nor drive the terminal', () => {
  const nasty = 'a\nb\tc\u001B[31m'
  assert.equal(tabbed([[nasty, 'x']]), 'a b c [31m\tx\n')
  assert.equal(table(['H'], [[nasty]], plain), 'H\na b c [31m\n')
  assert.equal(sheet([['N', nasty]], plain), 'N  a b c [31m\n')
})

test('colour is for heads and names, and only where it is wanted', () => {
  const colour = { columns: 80, colour: true }
  assert.equal(table(['H'], [['v']], colour), '\u001B[1mH\u001B[0m\nv\n')
  assert.equal(sheet([['N', 'v']], colour), '\u001B[1mN\u001B[0m  v\n')
})
