import { SecretFault } from './fault.ts'

export interface PemBlock {
  /** Between BEGIN and the dashes, say `CERTIFICATE`. */
  readonly label: string
  /** Without white space. */
  readonly base64: string
  /** Of a PKCS#1 key that is encrypted in the old way (RFC 1421). */
  readonly encryption?: { readonly cipher: string; readonly ivHex: string }
}

const blockPattern = /-----BEGIN ([A-Z0-9][A-Z0-9 ]*)-----(.*?)-----END \1-----/gs
const headerPattern = /Proc-Type:\s*4,\s*ENCRYPTED\s+DEK-Info:\s*([A-Z0-9-]+),\s*([0-9A-Fa-f]+)/

/**
 * The PEM blocks of a text, in order. Users keep PEM in one line, with spaces or the two characters `\n` where lines
 * ended, with CRLF, and with notes between the blocks (reference 9.2): all of these are read.
 * Throws SecretFault when there is none, or when one is cut off or not base64.
 */
export function readPem(text: string): PemBlock[] {
  const lines = text.replaceAll(/\\+r/g, '').replaceAll(/\\+n/g, '\n')
  const blocks = [...lines.matchAll(blockPattern)].map(([, label = '', body = '']) => readBlock(label, body))
  const begun = lines.match(/-----BEGIN /g)?.length ?? 0
  if (begun > blocks.length) throw fault('a PEM block has no end')
  if (blocks.length === 0) throw fault('there is no PEM block (-----BEGIN …)')
  return blocks
}

function readBlock(label: string, body: string): PemBlock {
  const header = headerPattern.exec(body)
  const base64 = (header === null ? body : body.slice(header.index + header[0].length)).replaceAll(/\s+/g, '')
  if (base64 === '' || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw fault(`the block ${label} is not base64`)
  const [, cipher = '', ivHex = ''] = header ?? []
  return header === null ? { label, base64 } : { label, base64, encryption: { cipher, ivHex } }
}

/** As OpenSSL writes it: what every reader takes. */
export function writePem({ label, base64, encryption }: PemBlock): string {
  const header =
    encryption === undefined ? '' : `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${encryption.cipher},${encryption.ivHex}\n\n`
  return `-----BEGIN ${label}-----\n${header}${base64.replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}

const fault = (message: string): SecretFault => new SecretFault('certificate', message)
