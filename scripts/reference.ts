// Writes docs/reference/ from the tables that the program itself reads.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { referencePages } from './reference/pages.ts'

process.chdir(join(import.meta.dirname, '..'))
for (const [path, text] of await referencePages()) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.log(path)
}
