import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClientCertificate } from '../../../src/ports/cluster-security.ts'

const run = promisify(execFile)
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export interface CertificateWish {
  readonly commonName: string
  /** `DNS:localhost,IP:127.0.0.1` */
  readonly names?: string
  /** Negative: it has expired. Default 30. */
  readonly days?: number
  /** To the second; instead of `days`. */
  readonly until?: Date
}

/** A certificate authority of a test's own, by openssl, with keys of elliptic curves: one certificate takes 20 ms. */
export class Authority {
  /** PEM of its own certificate. */
  readonly pem: string
  readonly #key: string

  /** One that exists already, by its certificate and key. */
  constructor(pem: string, key: string) {
    this.pem = pem
    this.#key = key
  }

  static create(name = 'test-ca'): Promise<Authority> {
    return inFolder(async (openssl, read) => {
      await openssl('req', '-x509', ...ecKey, '-days', '30', '-subj', `/CN=${name}`, '-keyout', 'key', '-out', 'pem')
      return new Authority(await read('pem'), await read('key'))
    })
  }

  issue({ commonName, names, days = 30, until }: CertificateWish): Promise<ClientCertificate> {
    return inFolder(async (openssl, read, write) => {
      const extension = names === undefined ? [] : ['-addext', `subjectAltName=${names}`]
      await Promise.all([write('ca.pem', this.pem), write('ca.key', this.#key)])
      await openssl('req', ...ecKey, '-subj', `/CN=${commonName}`, ...extension, '-keyout', 'key', '-out', 'csr')
      if (until === undefined) {
        const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-copy_extensions', 'copyall', '-days', String(days)]
        await openssl('x509', '-req', '-in', 'csr', ...signing, '-out', 'pem')
      } else {
        await Promise.all([write('ca.cnf', caSettings), write('index', '')])
        const signing = ['-batch', '-notext', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key']
        const dates = ['-startdate', asn1Time(new Date(Date.now() - 60_000)), '-enddate', asn1Time(until)]
        await openssl('ca', ...signing, ...dates, '-in', 'csr', '-out', 'pem')
      }
      return { certificatePem: await read('pem'), privateKeyPem: await read('key') }
    })
  }
}

/** What `openssl ca` cannot do without; `openssl x509` knows whole days only. */
const caSettings = `[ca]
default_ca=own
[own]
database=index
new_certs_dir=.
rand_serial=yes
default_md=sha256
policy=any
copy_extensions=copyall
unique_subject=no
[any]
commonName=supplied
`

/** `20261121183000Z` */
const asn1Time = (date: Date): string => date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')

type Openssl = (...args: readonly string[]) => Promise<unknown>

async function inFolder<Result>(
  make: (
    openssl: Openssl,
    read: (file: string) => Promise<string>,
    write: (file: string, text: string) => Promise<void>
  ) => Promise<Result>
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-authority-'))
  try {
    return await make(
      (...args) => run('openssl', args, { cwd: folder }),
      file => readFile(join(folder, file), 'utf8'),
      (file, text) => writeFile(join(folder, file), text)
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
