// What a filter costs at worst: every set of patterns with every value, each made to cost much.

/** About so many bytes to a value. */
const valueBytes = 24_000

/** Items up to about `valueBytes`. */
function many(each: (index: number) => string, least = 0): string {
  const items: string[] = []
  for (let bytes = 0, index = 0; bytes < valueBytes || index < least; index++) {
    items.push(each(index))
    bytes += items[index]!.length + 1
  }
  return items.join(',')
}

/** Always the same, without a pattern to it. */
function shuffled(index: number, below: number): number {
  const mixed = Math.imul(index + 1, 0x9e3779b1)
  return ((mixed ^ (mixed >>> 15)) >>> 0) % below
}

const list = (each: (index: number) => string): string => `[${many(each)}]`
/** On every path that the patterns look at; and two fields that match, but never in one element. */
const everywhere = (json: string): string => `{"a":${json},"d":${json},"no":[{"p":1},{"q":2}]}`

const scalars: Readonly<Record<string, string>> = {
  'digits, one of a kind': list(() => '1'),
  digits: list(index => String(shuffled(index, 10))),
  'numbers of 3 digits': list(index => String(100 + shuffled(index, 900))),
  'numbers of 4 digits': list(index => String(1_000 + shuffled(index, 9_000))),
  'numbers of 9 digits': list(index => String(100_000_000 + shuffled(index, 899_999_999))),
  'numbers of 17 digits': list(index => `9007199254${String(shuffled(index, 9_999_999)).padStart(7, '0')}`),
  'fractions and exponents': list(index => `${shuffled(index, 10)}.${shuffled(index, 100)}e${shuffled(index, 5)}`),
  'numbers of 1,500 digits': list(() => `0.${'123'.repeat(500)}`),
  'true, false, null': list(index => ['true', 'false', 'null'][shuffled(index, 3)]!),
  'empty strings': list(() => '""'),
  'strings of one letter': list(index => `"${'abxy'[shuffled(index, 4)]!}"`),
  'strings of the patterns': list(index => `"${shuffled(index, 400)}q"`),
  'strings of a common beginning': list(index => `"prefix-${shuffled(index, 400)}"`),
  'escaped letters': list(() => '"\\u0061"'),
  'escaped letters, one string': `"${'\\u0061'.repeat(valueBytes / 6)}"`,
  backslashes: `"${'\\\\'.repeat(valueBytes / 2)}"`,
  'one string of a and b': `"${'ab'.repeat(valueBytes / 2)}"`,
  'one string, shuffled': `"${Array.from({ length: valueBytes }, (_, at) => 'ab01xKſ'[shuffled(at, 6)]!).join('')}"`,
  'one string, not ASCII': `"${'äöü€😀ſ'.repeat(valueBytes / 17)}"`,
  'IPv4 addresses': list(index => `"10.${shuffled(index, 250)}.0.${shuffled(index + 7, 250)}"`),
  'IPv6 addresses': list(index => `"2001:db8::${shuffled(index, 9_999)}"`)
}

const containers: Readonly<Record<string, string>> = {
  'empty objects': list(() => '{}'),
  'empty lists': list(() => '[]'),
  'deep lists': `${'['.repeat(valueBytes / 2)}${']'.repeat(valueBytes / 2)}`,
  'deep objects': `${'{"a":'.repeat(valueBytes / 6)}1${'}'.repeat(valueBytes / 6)}`,
  'objects of one field': list(index => (index % 2 === 0 ? '{"a":1}' : '{"b":2}')),
  'objects of one field, escaped': list(index => (index % 2 === 0 ? '{"\\u0061":1}' : '{"\\u0062":2}')),
  'objects of two fields': list(index => `{"a":${shuffled(index, 3)},"b":${shuffled(index + 5, 3)}}`),
  'objects in lists in objects': list(index => `{"a":[{"b":[{"a":${shuffled(index, 3)}}]},{"c":2}]}`),
  'objects of three of ten': list(
    index =>
      `{"x":{"k${shuffled(index, 10)}":1},"y":{"k${shuffled(index + 3, 10)}":1},"z":{"k${shuffled(index + 9, 11)}":1}}`
  ),
  'objects of ten fields of ten values': list(
    index => `{${Array.from({ length: 10 }, (_, at) => `"f${at}":${shuffled(index * 10 + at, 10)}`).join(',')}}`
  ),
  'one object of many fields': `{${many(index => `"k${index % 1_000}":2`)}}`,
  'one object, one field again and again': `{${many(() => '"a":1')}}`,
  'objects with a field twice': list(() => '{"a":1,"a":3,"b":2}'),
  'words with white space': list(() => ' \n true\t '),
  'long names': `{${many(index => `"${'name'.repeat(12)}${index}":1`)}}`
}

/** By name: a JSON text. */
export const hostileValues: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [...Object.entries(scalars), ...Object.entries(containers)].map(([name, json]) => [name, everywhere(json)])
  ),
  'not looked at: digits': `{"o":${scalars['digits']!}}`,
  'not looked at: objects of two fields': `{"o":${containers['objects of two fields']!}}`,
  'not looked at: one string': `{"o":${scalars['one string of a and b']!}}`,
  'broken at the end': everywhere(scalars['digits']!).slice(0, -1)
}

const value = (inner: string): string => `{"value":${inner}}`
/** Parts joined by commas, as many as a pattern may have characters for. */
function full(before: string, each: (index: number) => string, after: string, from = 0, most = 1_000): string {
  let text = before + each(from)
  for (let index = from + 1; index < from + most; index++) {
    const next = `${text},${each(index)}`
    if (next.length + after.length > 4_096) break
    text = next
  }
  return text + after
}
/** Ten patterns, each as long as it may be. */
const ten = (before: string, each: (index: number) => string, after: string, most?: number): string[] =>
  Array.from({ length: 10 }, (_, pattern) => full(before, each, after, pattern * 1_000, most))

const threeTens = (): string => {
  const or = (name: string): string =>
    `"${name}":{"$or":[${Array.from({ length: 10 }, (_, at) => `{"k${at}":[1]}`).join(',')}]}`
  return value(`{"d":{${or('x')},${or('y')},${or('z')}},"no":{"p":[1],"q":[2]}}`)
}

/** By name: patterns, all accepted. None takes a value, but that is seen only when elements of lists are told apart. */
export const hostilePatterns: Readonly<Record<string, readonly string[]>> = {
  'one string': [value('{"a":["no"],"no":{"p":[1],"q":[2]}}')],
  'one number': [value('{"a":[12345],"d":[12345]}')],
  'fields of one element': [value('{"d":{"a":[1],"b":[2]},"no":{"p":[1],"q":[2]}}')],
  'fields of one element, one missing': [
    value('{"d":{"a":[1],"b":[{"exists":false}],"c":[2]},"no":{"p":[1],"q":[2]}}')
  ],
  'fields of nested elements': [
    value('{"d":{"a":{"b":{"a":[1]},"c":[2]},"z":[1]},"a":{"a":[1],"b":[2]},"no":{"p":[1],"q":[2]}}')
  ],
  '10 × ranges': ten(
    '{"value":{"a":[',
    index => `{"numeric":[">",${index * 7},"<",${index * 7 + 1}]}`,
    '],"d":[0.5],"no":{"p":[1],"q":[2]}}}'
  ),
  '10 × numbers, one alternative each': ten(
    '{"value":{"$or":[',
    index => `{"a":[${index}]}`,
    '],"no":{"p":[1],"q":[2]}}}'
  ),
  '10 × numbers of 17 digits': ten(
    '{"value":{"a":[',
    index => `9007199254${String(index * 7).padStart(7, '0')}`,
    '],"no":{"p":[1],"q":[2]}}}'
  ),
  '10 × strings': ten('{"value":{"a":[', index => `"${index}q"`, '],"no":{"p":[1],"q":[2]}}}'),
  '10 × strings, one alternative each': ten(
    '{"value":{"$or":[',
    index => `{"a":["${index}q"]}`,
    '],"no":{"p":[1],"q":[2]}}}'
  ),
  '10 × prefixes, one alternative each': ten(
    '{"value":{"$or":[',
    index => `{"a":[{"prefix":"prefix-${index}"}]}`,
    '],"no":{"p":[1],"q":[2]}}}',
    90
  ),
  '10 × anything-but': ten('{"value":{"a":[{"anything-but":[', index => `"${index}q"`, ']}],"no":{"p":[1],"q":[2]}}}'),
  '10 × cidr': ten(
    '{"value":{"a":[',
    index => `{"cidr":"10.${index % 250}.${index % 7}.0/24"}`,
    '],"no":{"p":[1],"q":[2]}}}'
  ),
  'ignoring case': [
    value(
      '{"a":[{"equals-ignore-case":"ßabKxſab"},{"prefix":{"equals-ignore-case":"straßenbahn"}}],"no":{"p":[1],"q":[2]}}'
    )
  ],
  'suffixes and wildcards': [
    value(
      `{"a":[${Array.from({ length: 8 }, (_, at) => `{"wildcard":"*a${at}b*"}`).join(',')},${Array.from({ length: 20 }, (_, at) => `{"suffix":"x${at}"}`).join(',')}],"no":{"p":[1],"q":[2]}}`
    )
  ],
  'a wildcard of many stars': [value('{"a":[{"wildcard":"*aba*abb*ac*"}],"no":{"p":[1],"q":[2]}}')],
  '10 × a wildcard': Array.from({ length: 10 }, (_, at) =>
    value(`{"a":[{"wildcard":"*ab${at}*b${at}"}],"no":{"p":[1],"q":[2]}}`)
  ),
  '10 × names': ten('{"value":{"d":{', index => `"k${index}":[1]`, '},"no":{"p":[1],"q":[2]}}}', 250),
  '10 × 1,000 alternatives of elements': Array.from({ length: 10 }, threeTens),
  '10 × alternatives of ten fields': ten(
    '{"value":{"d":{"$or":[',
    index => `{"f${index % 10}":[${Math.trunc(index / 10) % 10}],"f${(index + 1) % 10}":[${index % 7}]}`,
    ']},"no":{"p":[1],"q":[2]}}}'
  )
}
