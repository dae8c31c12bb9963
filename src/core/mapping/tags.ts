import { MillraceError } from '../errors.ts'

export type Tags = Readonly<Record<string, string>>

const maxTags = 50

/** Checks the tags a mapping would have. `aws:cloudformation:` is let through, for templates carry it (reference 1.11). */
export function checkTags(tags: Tags): void {
  const keys = Object.keys(tags)
  if (keys.length > maxTags) throw new MillraceError('MILL_TAGS_TOO_MANY')
  for (const key of keys) {
    if (/^aws:(?!cloudformation:)/i.test(key))
      throw new MillraceError('MILL_PARAMETER_INVALID', [`Tag keys must not begin with aws:, got ${key}.`])
    // These switch extensions on; a tag that does nothing would be believed to do something.
    if (key.startsWith('millrace:')) throw new MillraceError('MILL_PARAMETER_NOT_BUILT', [`the tag ${key}`])
  }
}

/** Merges, overwriting equal keys; the result is checked. */
export function addTags(present: Tags, added: Tags): Tags {
  const tags = { ...present, ...added }
  checkTags(tags)
  return tags
}

export function removeTags(present: Tags, keys: readonly string[]): Tags {
  return Object.fromEntries(Object.entries(present).filter(([key]) => !keys.includes(key)))
}
