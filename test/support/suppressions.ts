const directive =
  /(?:\/\/|\/\*)\s*(?<name>(?:ox|es)lint-disable(?:-next-line|-line)?|@ts-(?:ignore|expect-error|nocheck)|prettier-ignore)(?<rest>[^\n]*)/g

/** Suppressions of lint, types or formatting in a source that give no reason beside them, as `line: text`. */
export function suppressionsWithoutReason(source: string): string[] {
  return [...source.matchAll(directive)].flatMap(match => {
    const { name = '', rest = '' } = match.groups!
    // Lint names rules first, its reason comes after two hyphens; the others have no rules to name.
    const reason = /lint/.test(name) ? (/\s--\s(.*)$/.exec(rest)?.[1] ?? '') : rest
    const words = reason.replace('*/', '').match(/\p{L}{2,}/gu) ?? []
    const line = source.slice(0, match.index).split('\n').length
    return words.length >= 3 ? [] : [`${line}: ${match[0].trim()}`]
  })
}
