/** A line of a file or a stream, without its end. */
export interface ByteLine {
  /** From 1. */
  readonly number: number
  readonly bytes: Buffer
}

const newline = 10
const carriageReturn = 13

/** Lines as they come, those of one chunk together. Only a line feed ends one: JSON may hold any other separator. */
export async function* byteLines(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<readonly ByteLine[]> {
  let number = 1
  let rest: Buffer[] = []
  for await (const each of chunks) {
    const chunk = typeof each === 'string' ? Buffer.from(each) : each
    const lines: ByteLine[] = []
    let from = 0
    for (let to = chunk.indexOf(newline); to >= 0; to = chunk.indexOf(newline, from)) {
      lines.push({ number: number++, bytes: withoutReturn(Buffer.concat([...rest, chunk.subarray(from, to)])) })
      rest = []
      from = to + 1
    }
    if (from < chunk.length) rest.push(chunk.subarray(from))
    if (lines.length > 0) yield lines
  }
  if (rest.length > 0) yield [{ number, bytes: Buffer.concat(rest) }]
}

const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === carriageReturn ? line.subarray(0, -1) : line)
