import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'

type Texts = Readonly<Record<string, string>>

/**
 * Environment variables by function, as "sam local --env-vars" has them: `{"Orders": {"TABLE": "t"}}`; those under `Parameters`
 * go to every function. Rejects with `MILL_FILE_UNREADABLE`.
 */
export async function readVariablesFile(file: string, cwd: string): Promise<Readonly<Record<string, Texts>>> {
  const refuse = (reason: string, cause?: unknown) =>
    new MillraceError('MILL_FILE_UNREADABLE', [file, '--env-vars', reason], { cause })
  let content: unknown
  try {
    content = JSON.parse(await readFile(resolve(cwd, file), 'utf8'))
  } catch (error) {
    throw refuse((error as Error).message, error)
  }
  if (!isMap(content)) throw refuse('it must be functions with variables, such as {"Orders":{"TABLE":"t"}}')
  return Object.fromEntries(
    Object.entries(content).map(([name, variables]) => {
      if (!isMap(variables)) throw refuse(`${name} must be variables with texts, such as {"TABLE":"t"}`)
      return [name, texts(name, variables, refuse)]
    })
  )
}

function texts(of: string, variables: Readonly<Record<string, unknown>>, refuse: (reason: string) => Error): Texts {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      if (typeof value === 'string') return [name, value]
      if (typeof value === 'number' || typeof value === 'boolean') return [name, String(value)]
      throw refuse(`${of}.${name} must be a text, got ${JSON.stringify(value)}`)
    })
  )
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
