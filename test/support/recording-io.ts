import { EventEmitter, once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import type { Io } from '../../src/app/io.ts'

interface RecordingIoOptions extends Partial<Pick<Io, 'env' | 'cwd' | 'columns'>> {
  /** What stdin holds. */
  readonly input?: string
}

/** A command's world that keeps what was written. `interrupt` is what a signal would do. */
export class RecordingIo implements Io {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Io['env']
  readonly cwd: string
  readonly stop: AbortSignal
  readonly columns: number | undefined
  readonly colour = false
  /** What was written so far. */
  out = ''
  err = ''
  readonly #stopping = new AbortController()
  readonly #written = new EventEmitter()

  constructor({ env = {}, cwd = process.cwd(), input = '', columns }: RecordingIoOptions = {}) {
    this.stdin = Readable.from([Buffer.from(input)])
    this.columns = columns
    this.env = env
    this.cwd = cwd
    this.stop = this.#stopping.signal
    this.stdout = this.#collect(text => (this.out += text))
    this.stderr = this.#collect(text => (this.err += text))
  }

  interrupt(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): void {
    this.#stopping.abort(signal)
  }

  /** Resolves when stdout matches: with what it matched. */
  async outMatches(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.out)
      if (match) return match
      await once(this.#written, 'written')
    }
  }

  #collect(keep: (text: string) => void): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        keep(chunk.toString())
        this.#written.emit('written')
        done()
      }
    })
  }
}
