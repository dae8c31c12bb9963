export interface TableLook {
  /** Columns of the terminal: cells that do not fit are cut. Undefined: whole, however wide. */
  readonly columns: number | undefined
  readonly colour: boolean
}

const gap = 2
const least = 8

/** Rows under a head, in columns as wide as what they hold; the widest give way first where the terminal is too narrow. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { columns, colour }: TableLook
): string {
  const lines = [head, ...rows].map(cells => cells.map(printable))
  const widths = fit(
    head.map((_, at) => Math.max(...lines.map(cells => cells[at]!.length))),
    columns
  )
  const [first = '', ...rest] = lines.map(cells =>
    cells
      .map((cell, at) => cut(cell, widths[at]!).padEnd(widths[at]!))
      .join(' '.repeat(gap))
      .trimEnd()
  )
  return [colour ? `\u001B[1m${first}\u001B[0m` : first, ...rest].map(line => `${line}\n`).join('')
}

/** Names and values below each other. */
export function sheet(entries: readonly (readonly [name: string, value: string])[], { colour }: TableLook): string {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries
    .map(([name, value]) => {
      const label = name.padEnd(width)
      return `${colour ? `\u001B[1m${label}\u001B[0m` : label}${' '.repeat(gap)}${printable(value)}\n`
    })
    .join('')
}

/** Fields with tabs between, a line each, for `cut` and `awk`. */
export const tabbed = (rows: readonly (readonly string[])[]): string =>
  rows.map(cells => `${cells.map(printable).join('\t')}\n`).join('')

// What a server tells may come from anywhere: it must neither break a line nor drive the terminal.
const printable = (text: string): string => text.replace(/\p{Cc}/gu, ' ')

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`)

function fit(widths: number[], columns = Infinity): number[] {
  const room = columns - gap * (widths.length - 1)
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width, 0) - room
    const widest = Math.max(...widths)
    if (excess <= 0 || widest <= least) return widths
    const at = widths.lastIndexOf(widest)
    const next = Math.max(least, ...widths.filter(width => width < widest))
    widths = widths.with(at, Math.max(next - 1, widest - excess, least))
  }
}
