import { X509Certificate } from 'node:crypto'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets, ClusterSecurity } from '../../ports/cluster-security.ts'
import type { Finding, Line } from './checkup.ts'

/** Reads each secret as a connection would. What it holds is not told, but for what a certificate shows to everybody. */
export async function examineSecrets(
  security: ClusterSecurity | undefined,
  secrets: ClusterSecrets,
  clock: Pick<Clock, 'now'>,
  line: Line
): Promise<void> {
  const { login, clientCertificate, serverRootCa, iam, oidc } = security ?? {}
  if ((login ?? clientCertificate ?? serverRootCa ?? iam ?? oidc) === undefined)
    return line.skip('secret', undefined, 'the mapping needs none')
  const step = (about: string, read: () => Promise<string>) =>
    line.run('secret', about, async (): Promise<Finding<undefined>> => ({ detail: await read(), value: undefined }))
  const reads: Promise<unknown>[] = []
  if (login !== undefined)
    reads.push(
      step(login.arn, async () => {
        await secrets.login(login)
        return 'holds a user name and a password'
      })
    )
  if (clientCertificate !== undefined)
    reads.push(
      step(clientCertificate.arn, async () => {
        const { certificatePem } = await secrets.clientCertificate(clientCertificate)
        return `holds a key and ${certificateText(certificatePem)}`
      })
    )
  if (serverRootCa !== undefined)
    reads.push(step(serverRootCa.arn, async () => `holds ${certificateText(await secrets.serverRootCa(serverRootCa))}`))
  if (iam !== undefined)
    reads.push(
      step(iam.roleArn ?? `AWS credentials, ${iam.region}`, async () => {
        await secrets.awsKeys(iam)
        return 'there are keys to sign with'
      })
    )
  if (oidc !== undefined && security !== undefined)
    reads.push(
      step(`${oidc.client.arn} at ${oidc.tokenEndpoint}`, async () => {
        const { expiresAtMs } = await secrets.token(security)
        return `a token was given, good for ${Math.round((expiresAtMs - clock.now()) / 1000)} s`
      })
    )
  await Promise.all(reads)
}

function certificateText(pem: string): string {
  const { subject, validTo } = new X509Certificate(pem)
  return `the certificate ${subject.replaceAll('\n', ', ')}, good until ${new Date(validTo).toISOString()}`
}
