import type { SaslExtensions } from '../core/source/sasl-extensions.ts'

/** Where a secret's text comes from. Plain data: it names the secret and holds nothing of it. */
export interface SecretReference {
  /** As SourceAccessConfigurations name it. */
  readonly arn: string
  readonly from:
    | ({ readonly kind: 'secrets-manager' } & AwsIdentity)
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'environment'; readonly variable: string }
}

/** Whose AWS credentials sign: those of the process, or of a role assumed with them. */
export interface AwsIdentity {
  readonly region: string
  readonly roleArn?: string
  readonly externalId?: string
}

/** How connections to a cluster are protected and prove who they are. Plain data: it crosses to a poller's thread. */
export interface ClusterSecurity {
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** With the SASL protocols. */
  readonly mechanism?: 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'PLAIN' | 'OAUTHBEARER' | 'AWS_MSK_IAM'
  /** `{"username","password"}`: SCRAM and PLAIN. */
  readonly login?: SecretReference
  /** `{"certificate","privateKey","privateKeyPassword"?}`: mutual TLS. */
  readonly clientCertificate?: SecretReference
  /** `{"certificate"}`: whom to trust besides, or instead of, the system's authorities. */
  readonly serverRootCa?: SecretReference
  /** OAUTHBEARER with a token of our own for MSK, and AWS_MSK_IAM. */
  readonly iam?: AwsIdentity
  /** OAUTHBEARER with client credentials at an OpenID token endpoint; `client` is `{"clientId","clientSecret"}`. */
  readonly oidc?: {
    readonly tokenEndpoint: string
    readonly client: SecretReference
    readonly scope?: string
    /** Go to the broker with each token (KIP-342). */
    readonly extensions?: SaslExtensions
  }
}

export interface Login {
  readonly username: string
  readonly password: string
}

export interface ClientCertificate {
  /** Chain: client, intermediates. */
  readonly certificatePem: string
  /** PKCS#8, decrypted. */
  readonly privateKeyPem: string
}

export interface BearerToken {
  readonly value: string
  /** Epoch milliseconds. */
  readonly expiresAtMs: number
}

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/**
 * What a connection asks for when it is made or authenticates anew. Answers may come from a cache of at most five minutes.
 * Each rejects with a MillraceError that names the secret and what is wrong with it, never its content.
 */
export interface ClusterSecrets {
  login(reference: SecretReference): Promise<Login>
  clientCertificate(reference: SecretReference): Promise<ClientCertificate>
  /** PEM. */
  serverRootCa(reference: SecretReference): Promise<string>
  /** Of the OpenID token endpoint: a new one for each authentication; while the endpoint is down the last one, as long as it is good. */
  token(security: ClusterSecurity): Promise<BearerToken>
  awsKeys(identity: AwsIdentity): Promise<AwsKeys>
  /** The broker refused what this secret holds: until it holds something else it is read anew, twice a second at most. */
  refused(reference: SecretReference): void
}
