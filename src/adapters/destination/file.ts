import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { targetText, type DestinationTarget } from '../../core/destination/target.ts'
import type { Log } from '../../ports/log.ts'
import type { Bulk } from './bulk-sender.ts'
import { rotate } from './rotation.ts'

type FileTarget = Extract<DestinationTarget, { kind: 'file' }>

export interface FileOptions {
  readonly log: Log
  readonly destinationDir: string
  /** Default 64 MiB. */
  readonly maxFileBytes?: number
}

/**
 * A file of JSON lines on a local disk, for those without AWS. Any number of threads and processes may append to it: each
 * line is one write to its end. A line counts as delivered once the disk has it.
 */
export function fileBulk(
  target: FileTarget,
  { log, destinationDir, maxFileBytes = 64 * 1_048_576 }: FileOptions
): Bulk {
  const name = targetText(target)
  const file = new LineFile(join(destinationDir, target.name), maxFileBytes, rotated =>
    log.info({ destination: name, rotated }, 'destination file is full: it was rotated')
  )
  return {
    name,
    maxMessages: 1_000,
    maxBytes: 16 * 1_048_576,
    // One fsync for all that has come meanwhile.
    inFlight: 1,
    timeLimitMs: 30_000,
    async send(messages) {
      const { written, error } = await file.append(messages.map(({ body }) => body))
      const problem = error === undefined ? undefined : fileProblem(name, error)
      return messages.map((_, at) => (at < written ? undefined : problem))
    },
    close: () => undefined
  }
}

const newline = Buffer.from('\n')

class LineFile {
  readonly #path: string
  readonly #maxBytes: number
  readonly #onRotated: (path: string) => void

  constructor(path: string, maxBytes: number, onRotated: (path: string) => void) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#onRotated = onRotated
  }

  /** How many of the lines are on the disk, from the first; of the others it is not certain, and why. */
  async append(lines: readonly Buffer[]): Promise<{ readonly written: number; readonly error?: unknown }> {
    let synced = 0
    let written = 0
    let file: FileHandle | undefined
    try {
      for (const line of lines) {
        file ??= await this.#open()
        let { size, ino } = await file.stat()
        if (size > 0 && size + line.length >= this.#maxBytes) {
          await file.sync()
          synced = written
          await file.close()
          file = undefined
          const rotated = await rotate(this.#path, ino)
          if (rotated !== undefined) this.#onRotated(rotated)
          file = await this.#open()
          size = (await file.stat()).size
        }
        await this.#write(file, size, line)
        written++
      }
      await file?.sync()
      return { written }
    } catch (error) {
      // What was written before the trouble need not be written again.
      const isSynced = await file?.sync().then(
        () => true,
        () => false
      )
      return { written: isSynced === true ? written : synced, error }
    } finally {
      await file?.close().catch(() => undefined)
    }
  }

  /** Opened anew for each delivery: it may have been rotated by somebody else. */
  async #open(): Promise<FileHandle> {
    const folder = dirname(this.#path)
    const made = await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = await open(this.#path, 'a+', 0o600)
    const { size } = await file.stat()
    // A new name is on the disk only when its folder is.
    if (size === 0) await syncFolders(folder, made === undefined ? folder : dirname(made))
    return file
  }

  async #write(file: FileHandle, size: number, line: Buffer): Promise<void> {
    // After a crash half a line may be the last: it stays alone.
    const isOpenEnded = size > 0 && (await readAt(file, size - 1, 1))[0] !== newline[0]
    const bytes = Buffer.concat(isOpenEnded ? [newline, line, newline] : [line, newline])
    const { bytesWritten } = await file.write(bytes)
    if (bytesWritten === bytes.length) return
    await this.#blank(file, size, bytes.subarray(0, bytesWritten))
    throw Object.assign(new Error('only a part of a line could be written'), { code: 'ENOSPC' })
  }

  /**
   * Writes spaces over half a line: JSON allows them before what comes next. It is not cut off, as another process may have
   * appended a whole line behind it by now.
   */
  async #blank(file: FileHandle, at: number, half: Buffer): Promise<void> {
    const { ino } = await file.stat()
    const rewriting = await open(this.#path, 'r+')
    try {
      const isOurs = (await rewriting.stat()).ino === ino && (await readAt(rewriting, at, half.length)).equals(half)
      if (isOurs) await rewriting.write(Buffer.alloc(half.length, ' '), 0, half.length, at)
    } finally {
      await rewriting.close()
    }
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

/** From `folder` up to `top`, its ancestor or itself. */
async function syncFolders(folder: string, top: string): Promise<void> {
  // Windows opens no folders.
  if (process.platform === 'win32') return
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (at === top) return
  }
}

const meanings: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file may not grow any more',
  EACCES: 'the process may not write there',
  EPERM: 'the process may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of its path is not a folder',
  EEXIST: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EIO: 'the disk has a fault'
}

function fileProblem(name: string, error: unknown): Error {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException
  return new Error(`Destination ${name} took nothing: ${meanings[code] ?? 'it failed'} (${code}).`)
}
