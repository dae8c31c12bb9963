/** Names and values that go with a token to the broker (KIP-342), in their order. */
export type SaslExtensions = readonly (readonly [name: string, value: string])[]

/** A comma or one space between pairs: not every tool takes commas in a tag's value. Values may hold any other printable ASCII. */
const pair = /^([A-Za-z]+)=([\x21-\x2b\x2d-\x7e]+)$/
/** RFC 7628 gives this name to the token. */
const reserved = 'auth'

/** `logicalCluster=lkc-1,identityPoolId=pool-2`; undefined when it is not that. */
export function readSaslExtensions(text: string): SaslExtensions | undefined {
  const pairs: (readonly [string, string])[] = []
  for (const part of text.split(/[, ]/)) {
    const [, name, value] = pair.exec(part) ?? []
    if (name === undefined || value === undefined || name === reserved) return undefined
    if (pairs.some(([known]) => known === name)) return undefined
    pairs.push([name, value])
  }
  return pairs
}
