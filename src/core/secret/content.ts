import { SecretFault } from './fault.ts'

/** What a secret of reference 9.2 holds, read out of its JSON. Nothing of the text gets into an error. */
export interface LoginContent {
  readonly username: string
  readonly password: string
}

export interface ClientCertificateContent {
  /** PEM, as it was written. */
  readonly certificate: string
  /** PEM, as it was written. */
  readonly privateKey: string
  readonly privateKeyPassword?: string
}

export interface OidcClientContent {
  readonly clientId: string
  readonly clientSecret: string
}

/** Throws SecretFault naming the member. */
export function readLogin(text: string): LoginContent {
  const members = readMembers(text, 'login', '{"username":"…","password":"…"}')
  return { username: member(members, 'login', 'username'), password: member(members, 'login', 'password') }
}

/** Throws SecretFault naming the member. */
export function readOidcClient(text: string): OidcClientContent {
  const members = readMembers(text, 'login', '{"clientId":"…","clientSecret":"…"}')
  return { clientId: member(members, 'login', 'clientId'), clientSecret: member(members, 'login', 'clientSecret') }
}

/** Certificate and key beside each other may also be a PEM file as it is. Throws SecretFault naming the member. */
export function readClientCertificate(text: string): ClientCertificateContent {
  if (isBarePem(text)) return { certificate: text, privateKey: text }
  const members = readMembers(text, 'certificate', '{"certificate":"PEM","privateKey":"PEM"}')
  const password = members['privateKeyPassword']
  if (password !== undefined && password !== null && typeof password !== 'string')
    throw new SecretFault('certificate', 'privateKeyPassword is not a text')
  return {
    certificate: member(members, 'certificate', 'certificate'),
    privateKey: member(members, 'certificate', 'privateKey'),
    ...(typeof password === 'string' && password !== '' ? { privateKeyPassword: password } : {})
  }
}

/** PEM, as it was written; it may also be a PEM file as it is. Throws SecretFault. */
export function readServerRootCa(text: string): string {
  if (isBarePem(text)) return text
  return member(readMembers(text, 'certificate', '{"certificate":"PEM"}'), 'certificate', 'certificate')
}

const isBarePem = (text: string): boolean => !text.trimStart().startsWith('{') && text.includes('-----BEGIN ')

function readMembers(text: string, part: SecretFault['part'], wanted: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    // The parser's own message quotes the text.
    throw new SecretFault(part, `it is not JSON: ${wanted} is wanted`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SecretFault(part, `it is not a JSON object: ${wanted} is wanted`)
  return value as Readonly<Record<string, unknown>>
}

function member(members: Readonly<Record<string, unknown>>, part: SecretFault['part'], name: string): string {
  const value = members[name]
  if (typeof value !== 'string') throw new SecretFault(part, `it has no text ${name}`)
  if (value === '') throw new SecretFault(part, `its ${name} is empty`)
  return value
}
