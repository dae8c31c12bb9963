import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { withoutBlocks } from './markdown.ts'

/** A fenced block of code in a page. */
export interface Block {
  /** Of the section it stands in. */
  readonly heading: string
  /** Counted from 0 within its section. */
  readonly nth: number
  readonly language: string
  /** As `file=NAME` behind the language says. */
  readonly file: string | undefined
  readonly text: string
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let heading = ''
  for (const { groups } of markdown.matchAll(
    /^ *(?<fence>```+)(?<language>\w*)(?: file=(?<file>\S+))?.*\n(?<text>[^]*?)^ *\k<fence> *$|^#+ +(?<heading>.+?) *$/gm
  )) {
    if (groups?.['heading'] !== undefined) heading = groups['heading']
    else if (groups !== undefined)
      blocks.push({
        heading,
        nth: blocks.filter(block => block.heading === heading).length,
        language: groups['language'] ?? '',
        file: groups['file'],
        text: groups['text'] ?? ''
      })
  }
  return blocks
}

/** A page each of whose blocks is for a test to run; `assertWhole` names those that none did. */
export class PageUnderTest {
  readonly path: string
  readonly markdown: string
  readonly #blocks: readonly Block[]
  readonly #taken = new Set<Block>()

  constructor(path: string, markdown = readFileSync(path, 'utf8')) {
    this.path = path
    this.markdown = markdown
    this.#blocks = blocksOf(markdown)
  }

  /** For a test that runs it. To be asked for where tests are registered, not in one that may be skipped. */
  block(heading: string, nth = 0): Block {
    const found = this.#blocks.find(block => block.heading === heading && block.nth === nth)
    if (found === undefined) throw new Error(`${this.path} has no block ${nth} under "${heading}"`)
    this.#taken.add(found)
    return found
  }

  /** One that nothing can run here, and why. */
  leave(heading: string, nth: number, reason: string): void {
    assert.notEqual(reason, '')
    this.block(heading, nth)
  }

  assertWhole(): void {
    const left = this.#blocks.filter(block => !this.#taken.has(block))
    const named = left.map(({ heading, nth, language }) => `${language} block ${nth} under "${heading}"`)
    assert.deepEqual(named, [], `blocks of ${this.path} that no test runs`)
  }

  /** First cells of the table in a section, with the rest of their rows. */
  rows(heading: string): Map<string, readonly string[]> {
    const section =
      withoutBlocks(this.markdown)
        .split(new RegExp(`^#+ ${heading}$`, 'm'))[1]
        ?.split(/^#/m)[0] ?? ''
    const lines = [...section.matchAll(/^\|(.*)\|$/gm)].map(([, cells = '']) =>
      cells.split('|').map(cell => cell.trim())
    )
    const [, , ...rows] = lines
    if (rows.length === 0) throw new Error(`${this.path} has no table under "${heading}"`)
    return new Map(rows.map(([first = '', ...rest]) => [first, rest]))
  }
}
