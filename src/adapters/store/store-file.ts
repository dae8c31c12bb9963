import { statSync, type BigIntStats } from 'node:fs'

/** What became of the file since we last wrote. */
export type FileFinding = 'same' | 'touched' | 'gone'

interface Stamp {
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
}

/**
 * The store's files as they lie on disk. SQLite does not look: a file that was deleted is written on where nobody finds it again,
 * and one that was overwritten is read from its cache until the cache has forgotten. Nobody but us writes to them, as we hold the
 * lock; so whatever is not as we left it is somebody's accident.
 */
export class StoreFile {
  readonly #names: readonly string[]
  #stamps: readonly (Stamp | undefined)[] = []

  constructor(file: string) {
    this.#names = [file, `${file}-wal`]
  }

  /** They are as they should be now: say so after each write. */
  keep(): void {
    this.#stamps = this.#names.map(stampOf)
  }

  /** `gone`: removed or emptied, or another is in its place. `touched`: somebody wrote to it, or cut it, or set its time. */
  look(): FileFinding {
    let finding: FileFinding = 'same'
    for (const [at, name] of this.#names.entries()) {
      const kept = this.#stamps[at]
      // The log beside the file is made by the first write.
      if (kept === undefined) continue
      const now = stampOf(name)
      if (now?.ino !== kept.ino || (now.size === 0n && kept.size > 0n)) return 'gone'
      if (now.size !== kept.size || now.mtimeNs !== kept.mtimeNs) finding = 'touched'
    }
    return finding
  }
}

function stampOf(name: string): Stamp | undefined {
  const found: BigIntStats | undefined = statSync(name, { bigint: true, throwIfNoEntry: false })
  return found && { ino: found.ino, size: found.size, mtimeNs: found.mtimeNs }
}
