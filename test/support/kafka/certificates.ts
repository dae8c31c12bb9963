import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Paths of PEM files. `serverPem` and `clientPem` hold key and certificate in one file, as Kafka and its tools want them. */
export interface Certificates {
  readonly ca: string
  readonly caKey: string
  readonly serverPem: string
  /** CN=client, signed by `ca`. */
  readonly clientCert: string
  readonly clientKey: string
  readonly clientPem: string
}

/** Makes a certificate authority, a server certificate for localhost and 127.0.0.1, and a client certificate, by openssl. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await mkdir(folder, { recursive: true })
  const openssl = async (line: string) => {
    await run('openssl', line.split(' '), { cwd: folder })
  }
  const request = (name: string, subject: string) =>
    openssl(`req -newkey rsa:2048 -nodes -subj ${subject} -keyout ${name}.key -out ${name}.csr`)

  await Promise.all([
    openssl('req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=millrace-test-ca -keyout ca.key -out ca.pem'),
    request('server', '/CN=localhost'),
    request('client', '/CN=client'),
    writeFile(join(folder, 'server.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1'),
    writeFile(join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth')
  ])

  const sign = async (name: string, serial: number) => {
    const files = `-in ${name}.csr -CA ca.pem -CAkey ca.key -extfile ${name}.ext -out ${name}.crt`
    await openssl(`x509 -req -days 30 -set_serial ${serial} ${files}`)
    const [key, certificate] = await Promise.all([read(`${name}.key`), read(`${name}.crt`)])
    await writeFile(join(folder, `${name}.pem`), key + certificate)
  }
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  await Promise.all([sign('server', 1), sign('client', 2)])

  return {
    ca: join(folder, 'ca.pem'),
    caKey: join(folder, 'ca.key'),
    serverPem: join(folder, 'server.pem'),
    clientCert: join(folder, 'client.crt'),
    clientKey: join(folder, 'client.key'),
    clientPem: join(folder, 'client.pem')
  }
}
