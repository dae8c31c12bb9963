import type { GroupMember } from './group-member.ts'

/** Names of the protocols that every one of the members can do. */
export function commonProtocols(members: readonly GroupMember[]): Set<string> {
  const [first, ...rest] = members.map(member => new Set(member.protocols.map(({ name }) => name)))
  return rest.reduce((common, names) => common.intersection(names), first ?? new Set<string>())
}

/** Every member votes for the first of its protocols that all can do; the one with most votes wins, the earlier in a draw. */
export function chooseProtocol(members: readonly GroupMember[]): string | null {
  const common = commonProtocols(members)
  const votes = new Map<string, number>()
  for (const { protocols } of members) {
    const choice = protocols.find(({ name }) => common.has(name))
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
  }
  return [...votes].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null
}
