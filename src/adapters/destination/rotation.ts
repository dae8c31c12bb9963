import { open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

/**
 * Gives a full file the next free number as its suffix: `a.jsonl` → `a.jsonl.1`, then `.2`. Nothing is ever overwritten: the
 * new name is first taken by a file that nobody else can have made. Others may rotate at the same time; when the file with
 * the inode `full` has lost its name already, nothing is done and the answer is undefined.
 */
export async function rotate(path: string, full: number): Promise<string | undefined> {
  const reserved = await reserve(path)
  try {
    if ((await stat(path)).ino === full) {
      await rename(path, reserved)
      return reserved
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') {
      await unlink(reserved)
      throw error
    }
  }
  await unlink(reserved)
  return undefined
}

async function reserve(path: string): Promise<string> {
  for (let number = (await highestNumber(path)) + 1; ; number++) {
    try {
      const handle = await open(`${path}.${number}`, 'wx', 0o600)
      await handle.close()
      return `${path}.${number}`
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
}

async function highestNumber(path: string): Promise<number> {
  const prefix = `${basename(path)}.`
  let highest = 0
  for (const name of await readdir(dirname(path))) {
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : ''
    if (/^\d{1,9}$/.test(suffix)) highest = Math.max(highest, Number(suffix))
  }
  return highest
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
