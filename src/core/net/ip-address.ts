/**
 * The sixteen bytes of an IP address as IPv6 has them, IPv4 in its mapped form (::ffff:0:0/96), so that one comparison
 * serves both. Undefined when the text is no address. A zone (`%eth0`) is left out.
 */
export function ipAddressBytes(text: string): Uint8Array | undefined {
  const unzoned = text.replace(/%.*$/, '')
  if (!unzoned.includes(':')) {
    const four = ipv4Bytes(unzoned)
    return four === undefined ? undefined : mapped(four)
  }
  const words = ipv6Words(unzoned)
  if (words === undefined) return undefined
  const bytes = new Uint8Array(16)
  for (const [index, word] of words.entries()) {
    bytes[2 * index] = word >> 8
    bytes[2 * index + 1] = word & 0xff
  }
  return embeddedIpv4(bytes) ?? bytes
}

export const isIpv4Mapped = (bytes: Uint8Array): boolean => startsWith(bytes, mappedPrefix)

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
/** Of NAT64 (RFC 6052): a gateway turns what follows into IPv4. */
const nat64Prefix = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]

function ipv4Bytes(text: string): readonly number[] | undefined {
  const parts = text.split('.')
  // A leading zero is octal to some: what two programs read differently is no address.
  if (parts.length !== 4 || !parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined
  return parts.map(Number)
}

function ipv6Words(text: string): readonly number[] | undefined {
  const [head, tail, more] = text.split('::')
  if (head === undefined || more !== undefined) return undefined
  const before = wordsOf(head)
  const after = tail === undefined ? [] : wordsOf(tail)
  if (before === undefined || after === undefined) return undefined
  const missing = 8 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  return [...before, ...Array.from({ length: missing }, () => 0), ...after]
}

/** Groups between colons; the last may be written as IPv4. */
function wordsOf(text: string): readonly number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const words: number[] = []
  for (const [index, group] of groups.entries()) {
    if (/^[\da-f]{1,4}$/i.test(group)) {
      words.push(Number.parseInt(group, 16))
      continue
    }
    const four = index === groups.length - 1 ? ipv4Bytes(group) : undefined
    if (four === undefined) return undefined
    words.push((four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!)
  }
  return words
}

const mapped = (four: readonly number[]): Uint8Array => Uint8Array.from([...mappedPrefix, ...four])

function embeddedIpv4(bytes: Uint8Array): Uint8Array | undefined {
  return startsWith(bytes, nat64Prefix) ? mapped([...bytes.subarray(12)]) : undefined
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, index) => bytes[index] === byte)
}
