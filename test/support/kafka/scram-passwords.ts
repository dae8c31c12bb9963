import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka'

const sha512 = 2
const iterations = 4096

/** Gives a user another password for SCRAM-SHA-512, as `kafka-configs.sh --alter` does. `address`: of a super user's listener. */
export async function changePassword(address: string, name: string, password: string): Promise<void> {
  const salt = randomBytes(16)
  const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  const { hostname, port } = new URL(`kafka://${address}`)
  const connection = new Connection('millrace-test', { connectTimeout: 2_000, requestTimeout: 5_000 })
  try {
    await connection.connect(hostname, Number(port))
    const upsertion = { name, mechanism: sha512, iterations, salt, saltedPassword }
    await alterUserScramCredentialsV0.api.async(connection, [], [upsertion])
  } finally {
    await connection.close()
  }
}
