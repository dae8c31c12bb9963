import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, type Options } from 'prettier'
import { apiPage } from './api-page.ts'
import { cliPage } from './cli-page.ts'
import { configurationPage } from './configuration-page.ts'

const root = join(import.meta.dirname, '../..')

/** The reference pages by their paths, formatted as the project formats. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const style = JSON.parse(readFileSync(join(root, '.prettierrc.json'), 'utf8')) as Options
  const pages = { api: apiPage(), configuration: configurationPage(), cli: cliPage() }
  return new Map(
    await Promise.all(
      Object.entries(pages).map(
        async ([name, text]) =>
          [`docs/reference/${name}.md`, await format(text, { ...style, parser: 'markdown' })] as const
      )
    )
  )
}
