/** The text without its code, in which brackets and pipes mean something else. */
export const withoutCode = (markdown: string): string => withoutBlocks(markdown).replace(/`[^`\n]*`/g, '')

export const withoutBlocks = (markdown: string): string => markdown.replace(/^ *(```+)[^]*?^ *\1 *$/gm, '')

/** Where links and images point, as written. */
export function linksOf(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map(([, target]) => target!)
}

/** Names by which headings can be linked to, as code forges make them. */
export function anchorsOf(markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/^#+ +(.+?) *$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )
}

/** Command lines of the `sh` blocks, continued lines joined. */
export function shellLinesOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block]) =>
    block!
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map(line => line.replace(/ +#.*$/, '').trim())
      .filter(line => line !== '')
  )
}

/** Rows of all tables, without their heads. */
export function tableRowsOf(markdown: string): string[][] {
  return [...withoutBlocks(markdown).matchAll(/^\|.*\|$/gm)]
    .map(([line]) => line.slice(1, -1).split('|'))
    .filter((cells, at, rows) => !isRule(cells) && !(rows[at + 1] && isRule(rows[at + 1]!)))
    .map(cells => cells.map(cell => cell.trim()))
}

const isRule = (cells: readonly string[]): boolean => cells.every(cell => /^\s*:?-+:?\s*$/.test(cell))
