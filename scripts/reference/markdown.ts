/** A table of Markdown; prettier brings its columns in line. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows.map(cells => cells.map(cell))]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')

// A bar would end the cell, even inside code.
const cell = (text: string): string => text.replaceAll('\n', ' ').replaceAll('|', '\\|')

/** A value as code. */
export const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``)

/** Says where the page comes from, for whoever would edit it. */
export const generated = (sources: string): string =>
  `<!-- Written by "npm run reference" from ${sources}: change those, not this page. -->`
