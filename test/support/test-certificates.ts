import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Makes keys and certificates by openssl in a folder of its own. */
export class TestCertificates implements AsyncDisposable {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open(): Promise<TestCertificates> {
    return new TestCertificates(await mkdtemp(join(tmpdir(), 'millrace-certificates-')))
  }

  /** An argument with spaces cannot be given. */
  async openssl(line: string): Promise<void> {
    await run('openssl', line.split(' '), { cwd: this.#folder })
  }

  path(file: string): string {
    return join(this.#folder, file)
  }

  read(file: string): Promise<string> {
    return readFile(join(this.#folder, file), 'utf8')
  }

  /** Writes `NAME.key` and `NAME.pem`; a root signs itself. `validity`: as openssl's x509 takes it. */
  async make(name: string, signer?: string, validity = '-days 30'): Promise<void> {
    const key = `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${name}.key`
    const subject = `-subj /CN=${name}`
    if (signer === undefined) {
      await this.openssl(`req -x509 ${key} ${subject} -days 30 -out ${name}.pem`)
      return
    }
    await this.openssl(`req ${key} ${subject} -addext basicConstraints=CA:TRUE -out ${name}.csr`)
    await this.openssl(
      `x509 -req -in ${name}.csr -CA ${signer}.pem -CAkey ${signer}.key -CAcreateserial -copy_extensions copy ${validity} -out ${name}.pem`
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
