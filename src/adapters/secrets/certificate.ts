import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { ClientCertificateContent } from '../../core/secret/content.ts'
import { SecretFault } from '../../core/secret/fault.ts'
import { readPem, writePem } from '../../core/secret/pem.ts'
import type { ClientCertificate } from '../../ports/cluster-security.ts'
import { readPrivateKey } from './private-key.ts'
import type { KeyRules } from './private-key.ts'

/** A certificate and key that fit each other; `checkDates` is to be asked at each use. */
export interface ReadCertificate extends ClientCertificate {
  /** Throws SecretFault when a certificate of the chain is not good at this time (epoch milliseconds). */
  readonly checkDates: (nowMs: number) => void
}

/** Reads and checks what a secret for mutual TLS holds. Throws SecretFault naming what is wrong, never what is there. */
export function readCertificate(content: ClientCertificateContent, rules: KeyRules): ReadCertificate {
  const key = readKey(content, rules)
  const chain = chainOf(readCertificates(content.certificate), key)
  return {
    certificatePem: chain.map(certificate => certificate.toString()).join(''),
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    checkDates: nowMs => {
      for (const certificate of chain) checkDates(certificate, nowMs)
    }
  }
}

/** Certificates of authorities, as PEM that every reader takes. Throws SecretFault. */
export const readAuthorities = (text: string): string =>
  readCertificates(text)
    .map(certificate => certificate.toString())
    .join('')

function readKey({ privateKey, privateKeyPassword }: ClientCertificateContent, rules: KeyRules): KeyObject {
  const block = readPem(privateKey).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (block === undefined) throw fault('privateKey holds no private key (BEGIN PRIVATE KEY)')
  return readPrivateKey(block, privateKeyPassword, rules)
}

function readCertificates(text: string): X509Certificate[] {
  const blocks = readPem(text).filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$/.test(label))
  if (blocks.length === 0) throw fault('certificate holds no certificate (BEGIN CERTIFICATE)')
  return blocks.map((block, at) => {
    try {
      return new X509Certificate(writePem({ ...block, label: 'CERTIFICATE' }))
    } catch {
      throw fault(`certificate ${at + 1} of ${blocks.length} cannot be read`)
    }
  })
}

/** The client's first, then who signed whom, whatever their order was; a root proves nothing to the broker and stays here. */
function chainOf(certificates: readonly X509Certificate[], key: KeyObject): X509Certificate[] {
  const own = certificates.find(certificate => certificate.checkPrivateKey(key))
  if (own === undefined) throw fault('the private key does not fit the certificate')
  const chain = [own]
  const left = new Set(certificates)
  left.delete(own)
  for (;;) {
    const last = chain.at(-1) ?? own
    const issuer = [...left].find(candidate => last.checkIssued(candidate))
    if (issuer === undefined || last.checkIssued(last) || issuer.checkIssued(issuer)) return chain
    left.delete(issuer)
    chain.push(issuer)
  }
}

function checkDates(certificate: X509Certificate, nowMs: number): void {
  const name = certificate.subject.replaceAll('\n', ', ') || 'without a subject'
  if (certificate.validToDate.getTime() < nowMs)
    throw fault(`the certificate ${name} has expired on ${certificate.validToDate.toISOString()}`)
  if (certificate.validFromDate.getTime() > nowMs)
    throw fault(`the certificate ${name} is not valid before ${certificate.validFromDate.toISOString()}`)
}

const fault = (message: string): SecretFault => new SecretFault('certificate', message)
