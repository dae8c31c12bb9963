/** Ends what was opened last. */
export const closing = -1

/**
 * What the scanner saw where elements of arrays may have to be told apart, in the order of the document: a value is its
 * outcome times the number of nodes, plus its node; the rest is negative.
 */
export class ElementTape {
  /** How many nodes there are. */
  readonly nodes: number
  length = 0
  /** Says too little: a name with dots led several steps down, or there are too many outcomes. */
  isBeyond = false
  entries = new Int32Array(256)

  constructor(nodes: number) {
    this.nodes = nodes
  }

  clear(): void {
    this.length = 0
    this.isBeyond = false
  }

  open(node: number, isArray: boolean): void {
    this.#write(-2 - node * 2 - Number(isArray))
  }

  close(): void {
    this.#write(closing)
  }

  value(node: number, outcome: number): void {
    const entry = outcome * this.nodes + node
    if (entry > 0x7fffffff) this.isBeyond = true
    else this.#write(entry)
  }

  #write(entry: number): void {
    if (this.length === this.entries.length) {
      const wider = new Int32Array(this.length * 4)
      wider.set(this.entries)
      this.entries = wider
    }
    this.entries[this.length++] = entry
  }
}

export const isArrayOpening = (entry: number): boolean => ((-2 - entry) & 1) === 1
export const nodeOfOpening = (entry: number): number => (-2 - entry) >> 1
