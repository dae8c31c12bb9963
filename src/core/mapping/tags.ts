import { MillraceError } from '../errors.ts'
import { readSaslExtensions } from '../source/sasl-extensions.ts'

export type Tags = Readonly<Record<string, string>>

const maxTags = 50

/** Every extension rides on a tag with this prefix, so that Terraform, SAM and CDK can set it. */
const extensionPrefix = 'millrace:'

/** An extension that a tag switches on, and what its value may be. */
export interface ExtensionTag {
  /** The whole key. */
  readonly name: `${typeof extensionPrefix}${string}`
  /** What would do, as the end of "The tag … must be …". */
  readonly wanted: string
  readonly check: (value: string) => boolean
}

/** The extensions that exist. A tag of ours that is not here is refused: one that does nothing would be believed to do something. */
export const extensionTags: readonly ExtensionTag[] = [
  {
    name: 'millrace:role-arn',
    wanted: 'the ARN of an IAM role (arn:aws:iam::ACCOUNT:role/NAME)',
    check: value => /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/.test(value)
  },
  {
    name: 'millrace:external-id',
    wanted: 'an external id of 2 to 1224 letters, digits and +=,.@:/-',
    check: value => /^[\w+=,.@:/-]{2,1224}$/.test(value)
  },
  {
    name: 'millrace:iam-mechanism',
    wanted: 'OAUTHBEARER or AWS_MSK_IAM',
    check: value => value === 'OAUTHBEARER' || value === 'AWS_MSK_IAM'
  },
  {
    name: 'millrace:oidc-token-endpoint',
    wanted: 'an absolute http or https URL without user and password',
    check: value => /^https?:\/\/[^\s/?#@]+([/?][^\s#]*)?$/.test(value)
  },
  {
    name: 'millrace:oidc-scope',
    wanted: 'scopes with a space between them',
    check: value => /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(value)
  },
  {
    name: 'millrace:oidc-extensions',
    wanted:
      'pairs NAME=VALUE with a comma or a space between them, each name once, of letters only and not auth, values of printable ASCII without commas',
    check: value => readSaslExtensions(value) !== undefined
  },
  {
    name: 'millrace:filter-mismatch',
    wanted: 'pass or drop',
    check: value => value === 'pass' || value === 'drop'
  },
  { name: 'millrace:filter-explain', wanted: 'on or off', check: value => value === 'on' || value === 'off' },
  {
    name: 'millrace:partition-batches',
    wanted: 'single or mixed',
    check: value => value === 'single' || value === 'mixed'
  },
  { name: 'millrace:sasl-plaintext', wanted: 'on or off', check: value => value === 'on' || value === 'off' }
]

/** Checks the tags a mapping would have. `aws:cloudformation:` is let through, for templates carry it (reference 1.11). */
export function checkTags(tags: Tags): void {
  const keys = Object.keys(tags)
  if (keys.length > maxTags) throw new MillraceError('MILL_TAGS_TOO_MANY')
  for (const key of keys) {
    if (/^aws:(?!cloudformation:)/i.test(key))
      throw new MillraceError('MILL_PARAMETER_INVALID', [`Tag keys must not begin with aws:, got ${key}.`])
    if (key.startsWith(extensionPrefix)) checkExtension(key, tags[key] ?? '')
  }
}

function checkExtension(key: string, value: string): void {
  const tag = extensionTags.find(({ name }) => name === key)
  if (tag === undefined) throw new MillraceError('MILL_PARAMETER_NOT_BUILT', [`the tag ${key}`])
  if (tag.check(value)) return
  // A URL may have come with a password.
  const got = JSON.stringify(value.replace(/\/\/[^/]*@/, '//***@'))
  throw new MillraceError('MILL_PARAMETER_INVALID', [`The tag ${key} must be ${tag.wanted}, got ${got}.`])
}

/** A tag of ours has come, gone or changed: a poller that runs by the old ones is to be started anew. */
export function changesExtensions(before: Tags, after: Tags): boolean {
  const ofOurs = [...Object.keys(before), ...Object.keys(after)].filter(key => key.startsWith(extensionPrefix))
  return ofOurs.some(key => before[key] !== after[key])
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
