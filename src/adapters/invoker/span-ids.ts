import { randomFillSync } from 'node:crypto'

const idBytes = 8
/** Drawn together: to ask for eight bytes costs nearly as much as for thousands. */
const drawn = Buffer.alloc(512 * idBytes)
let at = drawn.length

/** 16 hexadecimal digits of chance. */
export function newSpanId(): string {
  if (at === drawn.length) {
    randomFillSync(drawn)
    at = 0
  }
  at += idBytes
  return drawn.toString('hex', at - idBytes, at)
}
