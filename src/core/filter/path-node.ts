import type { LeafProgram } from './leaf-program.ts'

/** One name on the paths that a set of patterns asks for. Names are looked up in bytes, without a string. */
export class PathNode {
  readonly id: number
  /** What looks at values here. */
  leaf: LeafProgram | undefined
  /** Conditions of one branch meet at or below here, so that elements of an array here have to be told apart. */
  sensitive = false
  readonly names: Uint8Array[] = []
  readonly children: PathNode[] = []
  /** By a name's first byte: 1 + its first child. An empty name begins with what follows it: a quote or a dot. */
  readonly #first = new Uint16Array(256)
  /** By child: 1 + the next with the same first byte. */
  readonly #following: number[] = []

  constructor(id: number) {
    this.id = id
  }

  /** The child of this name, made when there is none. */
  childNamed(name: string, make: () => PathNode): PathNode {
    const bytes = Buffer.from(name)
    const known = this.names.findIndex(other => bytes.equals(other))
    if (known >= 0) return this.children[known]!
    const child = make()
    this.names.push(bytes)
    this.children.push(child)
    const number = this.children.length
    this.#following.push(0)
    for (const byte of bytes.length === 0 ? [quote, dot] : [bytes[0]!]) {
      if (this.#first[byte] === 0) this.#first[byte] = number
      else {
        let last = this.#first[byte]!
        while (this.#following[last - 1] !== 0) last = this.#following[last - 1]!
        if (last !== number) this.#following[last - 1] = number
      }
    }
    return child
  }

  /**
   * Where the name in `bytes` from `from` to `to` leads; a name with dots leads several steps. The byte at `to` must be a
   * quote.
   */
  find(bytes: Uint8Array, from: number, to: number): PathNode | undefined {
    let number = this.#first[bytes[from]!]!
    while (number !== 0) {
      const name = this.names[number - 1]!
      const after = from + name.length
      if (after <= to && isAt(name, bytes, from)) {
        if (after === to) return this.children[number - 1]
        if (bytes[after] === dot) return this.children[number - 1]!.find(bytes, after + 1, to)
      }
      number = this.#following[number - 1]!
    }
    return undefined
  }
}

const quote = 34
const dot = 46

function isAt(name: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name[at]) return false
  return true
}
