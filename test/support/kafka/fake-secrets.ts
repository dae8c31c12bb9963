import type {
  AwsKeys,
  BearerToken,
  ClientCertificate,
  ClusterSecrets,
  Login,
  SecretReference
} from '../../../src/ports/cluster-security.ts'

export const secret = (name: string): SecretReference => ({
  arn: `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`,
  from: { kind: 'environment', variable: name }
})

/** Secrets that a test holds in its hands: what is absent cannot be had. */
export class FakeSecrets implements ClusterSecrets {
  current: {
    login?: Login
    clientCertificate?: ClientCertificate
    serverRootCa?: string
    token?: () => string | Promise<string>
    awsKeys?: AwsKeys
  }
  /** ARNs that a broker refused. */
  readonly refusals: string[] = []
  asked = 0

  constructor(current: FakeSecrets['current'] = {}) {
    this.current = current
  }

  login(reference: SecretReference): Promise<Login> {
    return this.#answer(this.current.login, reference.arn)
  }

  clientCertificate(reference: SecretReference): Promise<ClientCertificate> {
    return this.#answer(this.current.clientCertificate, reference.arn)
  }

  serverRootCa(reference: SecretReference): Promise<string> {
    return this.#answer(this.current.serverRootCa, reference.arn)
  }

  async token(): Promise<BearerToken> {
    const make = await this.#answer(this.current.token, 'the token endpoint')
    return { value: await make(), expiresAtMs: Date.now() + 900_000 }
  }

  awsKeys(): Promise<AwsKeys> {
    return this.#answer(this.current.awsKeys, 'the AWS credentials')
  }

  refused(reference: SecretReference): void {
    this.refusals.push(reference.arn)
  }

  #answer<Secret>(found: Secret | undefined, name: string): Promise<Secret> {
    this.asked++
    return found === undefined ? Promise.reject(new Error(`${name} does not answer`)) : Promise.resolve(found)
  }
}
