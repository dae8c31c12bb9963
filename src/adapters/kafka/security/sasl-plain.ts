import type { Login } from '../../../ports/cluster-security.ts'
import type { SaslDialogue } from './sasl-dialogue.ts'

/** PLAIN (RFC 4616): the password itself, so never without TLS unless the operator wants it so. */
export async function* plain({ username, password }: Login): SaslDialogue {
  yield Buffer.from(`\0${username}\0${password}`)
}
