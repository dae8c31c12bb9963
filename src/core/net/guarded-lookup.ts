import type { AddressGuard } from './address-guard.ts'

interface ResolvedAddress {
  readonly address: string
  readonly family: number
}

type LookupFailure = Error & { code?: string | undefined }
type LookupAnswer = (error: LookupFailure | null, address: string | ResolvedAddress[], family?: number) => void

/** As `dns.lookup` of Node, which connections call with `all: true`. */
export type Lookup = (hostname: string, options: { readonly all?: boolean | undefined }, answer: LookupAnswer) => void

/** A host whose address must not be reached. */
export class AddressRefused extends Error {
  constructor(host: string, address: string, range: string) {
    const what = host === address ? `address ${address}` : `host ${host} is address ${address}, which`
    super(`${what} must not be reached: it lies in the refused range ${range}`)
    this.name = 'AddressRefused'
  }
}

/** For the `lookup` option of a connection: refuses a name as soon as one of its addresses lies in a refused range. */
export function guardedLookup(lookup: Lookup, guard: AddressGuard): Lookup {
  return (hostname, options, answer) => {
    const check: LookupAnswer = (error, found, family) => {
      if (error !== null) return answer(error, found, family)
      const addresses = typeof found === 'string' ? [found] : found.map(each => each.address)
      for (const address of addresses) {
        const range = guard.refusal(address)
        if (range !== undefined) return answer(new AddressRefused(hostname, address, range), found, family)
      }
      answer(null, found, family)
    }
    lookup(hostname, options, check)
  }
}

/** A connection to a literal address asks no lookup: ask here first. Throws AddressRefused. */
export function checkLiteralAddress(host: string, guard: AddressGuard): void {
  const range = guard.refusal(host)
  if (range !== undefined) throw new AddressRefused(host, host, range)
}
