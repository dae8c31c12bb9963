import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { readTemplate } from '../../../src/app/templates/read-template.ts'
import type { TemplateOptions, TemplateResult } from '../../../src/app/templates/read-template.ts'

export const root = 'test/fixtures/templates'
export const home = { region: 'eu-west-1', accountId: '000000000000' }

/** A template of test/fixtures/templates. */
export interface Fixture {
  readonly name: string
  /** What a user would name: a file, or a folder of CDK's. */
  readonly file: string
  readonly options: TemplateOptions
}

export const fixtures: readonly Fixture[] = [
  ...globSync([`${root}/*/template.{yaml,json}`, `${root}/*/serverless.yml`]),
  ...globSync(`${root}/*/cdk.out`)
]
  .toSorted()
  .map(file => {
    const folder = dirname(file)
    const options = join(folder, 'options.json')
    const given = existsSync(options) ? (JSON.parse(readFileSync(options, 'utf8')) as Partial<TemplateOptions>) : {}
    return { name: basename(folder), file, options: { ...home, ...given } }
  })

export const fixture = (name: string): Fixture => {
  const found = fixtures.find(fixture => fixture.name === name)
  if (found === undefined) throw new Error(`no fixture ${name}`)
  return found
}

/** The templates that SAM's translator has to look at. */
export const samFixtures = fixtures.filter(({ name }) => name.startsWith('sam-'))

/** What is read of a fixture, as it is kept beside it: paths from the folder of the fixtures. */
export function portable(result: TemplateResult): unknown {
  const text = JSON.stringify(result, (key, value: unknown) =>
    key === 'path' && typeof value === 'string' && value.startsWith('/') ? relative(resolve(root), value) : value
  )
  return JSON.parse(text.replaceAll(`${resolve(root)}/`, ''))
}

export const readFixture = ({ file, options }: Fixture): TemplateResult => readTemplate(file, options)
