import { ByteTable, isAt } from './byte-table.ts'
import type { LeafProgram } from './leaf-program.ts'

/** One name on the paths that a set of patterns asks for. Names are looked up in bytes, without a string. */
export class PathNode {
  readonly id: number
  readonly parent: PathNode | undefined
  /** Its place among the children of its parent. */
  readonly place: number
  /** What looks at values here. */
  leaf: LeafProgram | undefined
  /** Conditions of one branch meet at or below here, so that elements of an array here have to be told apart. */
  sensitive = false
  /** Values here may have to be told apart by elements of arrays above: they are written down (`element-tape.ts`). */
  isTracked = false
  readonly names: Uint8Array[] = []
  readonly children: PathNode[] = []
  readonly #byName = new Map<string, PathNode>()
  /** By a name's first byte: 1 + its only child, -1 for several. An empty name begins with what follows it: a quote or a dot. */
  readonly #first = new Int32Array(256)
  #table: ByteTable | undefined

  constructor(id: number, parent: PathNode | undefined, place: number) {
    this.id = id
    this.parent = parent
    this.place = place
  }

  /** The child of this name, made when there is none. */
  childNamed(name: string, make: (parent: PathNode, place: number) => PathNode): PathNode {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const child = make(this, this.children.length)
    this.#byName.set(name, child)
    const bytes = Buffer.from(name)
    this.names.push(bytes)
    this.children.push(child)
    for (const byte of bytes.length === 0 ? [quote, dot] : [bytes[0]!])
      this.#first[byte] = this.#first[byte] === 0 ? this.children.length : several
    this.#table = undefined
    return child
  }

  /**
   * Where the name in `bytes` from `from` to `to` leads; a name with dots leads several steps. The byte at `to` must be a
   * quote.
   */
  find(bytes: Uint8Array, from: number, to: number): PathNode | undefined {
    const number = this.#first[bytes[from]!]!
    if (number === 0) return undefined
    if (number < 0) return this.#findAmongSeveral(bytes, from, to)
    const name = this.names[number - 1]!
    const after = from + name.length
    if (after > to || !isAt(name, bytes, from)) return undefined
    if (after === to) return this.children[number - 1]
    return bytes[after] === dot ? this.children[number - 1]!.find(bytes, after + 1, to) : undefined
  }

  #findAmongSeveral(bytes: Uint8Array, from: number, to: number): PathNode | undefined {
    this.#table ??= new ByteTable(this.names)
    const last = Math.min(to, from + this.#table.longest + 1)
    let after = from
    while (after < last && bytes[after] !== dot) after++
    const found = this.#table.find(bytes, from, after)
    if (found < 0) return undefined
    return after === to ? this.children[found] : this.children[found]!.find(bytes, after + 1, to)
  }
}

const several = -1
const quote = 34
const dot = 46
