import { ipAddressBytes, isIpv4Mapped } from './ip-address.ts'

/** Where clouds answer whoever asks with the machine's credentials: link-local addresses, and AWS's IPv6 one. */
export const metadataRanges: readonly string[] = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254']

interface Range {
  readonly text: string
  readonly bytes: Uint8Array
  /** Of the sixteen bytes. */
  readonly bits: number
}

/**
 * Addresses that must not be reached on behalf of somebody who may name any host. It judges addresses, never names:
 * ask it about the address that a connection is really made to, or a name that changes its mind gets around it.
 */
export class AddressGuard {
  readonly #ranges: readonly Range[]

  /** @param ranges `10.0.0.0/8`, `fd00::/8`, or a single address. Throws a RangeError that names the one it cannot read. */
  constructor(ranges: readonly string[] = metadataRanges) {
    this.#ranges = ranges.map(parseRange)
  }

  /** The range that the address lies in, as it was given; undefined when it may be reached. What is no address is not judged. */
  refusal(address: string): string | undefined {
    const bytes = ipAddressBytes(address.replace(/^\[(.*)\]$/, '$1'))
    return bytes === undefined ? undefined : this.#ranges.find(range => contains(range, bytes))?.text
  }
}

/** Whether a guard takes it as a range. */
export function isAddressRange(text: string): boolean {
  try {
    parseRange(text)
    return true
  } catch {
    return false
  }
}

function parseRange(text: string): Range {
  const slash = text.lastIndexOf('/')
  const bytes = ipAddressBytes(slash < 0 ? text : text.slice(0, slash))
  const length = slash < 0 ? undefined : text.slice(slash + 1)
  const isV4 = bytes !== undefined && isIpv4Mapped(bytes) && !text.includes(':')
  const most = isV4 ? 32 : 128
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (bytes === undefined || !(bits <= most))
    throw new RangeError(`"${text}" is no range of addresses: write it like 10.0.0.0/8, fd00::/8 or 192.0.2.7`)
  return { text, bytes, bits: isV4 ? bits + 96 : bits }
}

function contains({ bytes, bits }: Range, address: Uint8Array): boolean {
  const whole = bits >> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== address[at]) return false
  const rest = bits & 7
  return rest === 0 || (bytes[whole]! ^ address[whole]!) >> (8 - rest) === 0
}
