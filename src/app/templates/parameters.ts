import { isTree, kindOf, own, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** The value of a parameter as `Ref` gives it, or why there is none. */
export type ParameterValue = { readonly value: string | readonly string[] } | { readonly problem: string }

/**
 * What a parameter stands for. `given`: from the command line or the parent stack, which wins over the default. `howTo`: what
 * a person does who wants to give one.
 * A parameter of Parameter Store's types has no value here unless one is given: then that is the value itself.
 */
export function parameterValue(declared: unknown, given: unknown, howTo: string): ParameterValue {
  if (!isTree(declared)) return { problem: `must be a map with a Type, got ${kindOf(declared)}` }
  const type = own(declared, 'Type')
  if (typeof type !== 'string') return { problem: `needs a Type such as String, got ${kindOf(type)}` }
  if (given === undefined && type.startsWith('AWS::SSM::Parameter::Value<'))
    return { problem: `is of the type ${type}: its value is in Parameter Store, ${howTo}` }
  const raw = given ?? own(declared, 'Default')
  if (raw === undefined || raw === null) return { problem: `has no default: ${howTo}` }
  const isList = type === 'CommaDelimitedList' || /(^|<)List</.test(type)
  const texts = readTexts(raw, isList)
  if (texts === undefined) return { problem: `must be ${isList ? 'a text with commas' : 'a text'}, got ${kindOf(raw)}` }
  const isHidden = own(declared, 'NoEcho') === true || own(declared, 'NoEcho') === 'true'
  for (const text of texts) {
    const broken = brokenRule(type, declared, text)
    if (broken !== undefined) return { problem: `must be ${broken}, got ${isHidden ? 'another value' : kindOf(text)}` }
  }
  return { value: isList ? texts : (texts[0] ?? '') }
}

function readTexts(raw: unknown, isList: boolean): string[] | undefined {
  if (Array.isArray(raw) && isList) {
    const texts = raw.map(scalarText)
    return texts.every(text => text !== undefined) ? texts : undefined
  }
  const text = scalarText(raw)
  if (text === undefined) return undefined
  if (!isList) return [text]
  return text === '' ? [] : text.split(',').map(part => part.trim())
}

/** The end of "… must be …" for the first rule that the value breaks. */
function brokenRule(type: string, declared: Tree, text: string): string | undefined {
  const number = (rule: string) => {
    const limit = own(declared, rule)
    return limit === undefined ? undefined : Number(limit)
  }
  const isNumber = /(^|<)Number>?$/.test(type)
  if (isNumber && (text.trim() === '' || Number.isNaN(Number(text)))) return 'a number'
  const allowed = own(declared, 'AllowedValues')
  if (Array.isArray(allowed) && !allowed.map(scalarText).includes(text))
    return `one of ${allowed.map(value => scalarText(value)).join(', ')}`
  const pattern = own(declared, 'AllowedPattern')
  if (typeof pattern === 'string' && matches(pattern, text) === false) {
    const said = own(declared, 'ConstraintDescription')
    return `as ${pattern} wants it${typeof said === 'string' ? ` (${said})` : ''}`
  }
  const [least, most] = isNumber ? [number('MinValue'), number('MaxValue')] : [number('MinLength'), number('MaxLength')]
  const measure = isNumber ? Number(text) : text.length
  const unit = isNumber ? '' : ' characters'
  if (least !== undefined && measure < least) return `at least ${least}${unit}`
  if (most !== undefined && measure > most) return `at most ${most}${unit}`
  return undefined
}

/** undefined where the pattern is one of Java's that JavaScript does not have: then CloudFormation has to check it. */
function matches(pattern: string, text: string): boolean | undefined {
  try {
    return new RegExp(`^(?:${pattern})$`).test(text)
  } catch {
    return undefined
  }
}
