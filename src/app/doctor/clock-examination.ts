import { lookup } from 'node:dns'
import { Agent, request } from 'undici'
import { checkLiteralAddress, guardedLookup } from '../../core/net/guarded-lookup.ts'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecurity } from '../../ports/cluster-security.ts'
import { Complaint, NotDone, type Line } from './checkup.ts'

export interface ClockExaminationDeps {
  readonly clock: Clock
  readonly guard: AddressGuard
  readonly env: Readonly<Record<string, string | undefined>>
}

/** AWS takes five minutes, OpenID providers often one. */
const mostSkewMs = 60_000

/**
 * What the clock of this machine is off, by the `Date` of an HTTP answer of somebody who checks times. Passwords and
 * plaintext need no clock: without IAM and tokens there is nobody to ask but the API of Millrace.
 */
export async function examineClock(
  security: ClusterSecurity | undefined,
  api: string | undefined,
  { clock, guard, env }: ClockExaminationDeps,
  line: Line
): Promise<void> {
  const url = whomToAsk(security, env) ?? api
  if (url === undefined)
    return line.skip('clock', undefined, 'nothing here depends on the time, but for dates of certificates')
  const { hostname, host } = new URL(url)
  await line.run('clock', host, async signal => {
    checkLiteralAddress(hostname.replace(/^\[(.*)\]$/, '$1'), guard)
    const agent = new Agent({ connect: { lookup: guardedLookup(lookup, guard) } })
    try {
      const sentMs = clock.now()
      const { headers, body } = await request(url, { method: 'HEAD', signal, dispatcher: agent })
      await body.dump()
      const { date } = headers
      const theirsMs = typeof date === 'string' ? Date.parse(date) : Number.NaN
      if (Number.isNaN(theirsMs)) throw new NotDone(`${host} does not say what time it is`)
      // The header counts whole seconds: in the middle of one is the best guess.
      const skewMs = Math.round((sentMs + clock.now()) / 2 - (theirsMs + 500))
      const detail = `${Math.abs(skewMs) < 1000 ? 'less than a second' : `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'}`} ${Math.abs(skewMs) < 1000 ? 'from' : ''} ${host}`
      if (Math.abs(skewMs) > mostSkewMs)
        throw new Complaint(`the clock of this machine is ${detail}`, 'Set the clock of this machine: let NTP run.')
      return { detail, value: skewMs }
    } finally {
      await agent.destroy()
    }
  })
}

function whomToAsk(
  security: ClusterSecurity | undefined,
  env: Readonly<Record<string, string | undefined>>
): string | undefined {
  const { iam, oidc } = security ?? {}
  if (oidc !== undefined) return oidc.tokenEndpoint
  if (iam === undefined) return undefined
  const domain = iam.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return env['AWS_ENDPOINT_URL_STS'] || env['AWS_ENDPOINT_URL'] || `https://sts.${iam.region}.${domain}/`
}
