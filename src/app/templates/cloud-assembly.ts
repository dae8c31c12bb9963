import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isNested } from './stack.ts'
import { readText, TemplateSource } from './source.ts'
import { own, trees } from './tree.ts'

/** One stack of a folder that `cdk synth` wrote. */
export interface AssemblyStack {
  readonly source: TemplateSource
  readonly stackName: string
}

const ending = '.template.json'

/**
 * The stacks of a `cdk.out` (none: it is no such folder), those of its stages (`assembly-…`) too, without the nested ones: those belong to their parent.
 * Throws TemplateError `MILL_TEMPLATE_UNREADABLE`.
 */
export function readAssembly(folder: string): AssemblyStack[] {
  return stacksOf(folder)
}

function stacksOf(folder: string): AssemblyStack[] {
  const names = readdirSync(folder).sort()
  const sources = names
    .filter(name => name.endsWith(ending))
    .map(name => new TemplateSource(join(folder, name), readText(join(folder, name))))
  const nested = new Set(sources.flatMap(({ root }) => nestedFiles(root)))
  const stackNames = namesOf(folder)
  const own = sources
    .filter(({ file }) => !nested.has(basename(file)))
    .map(source => {
      const file = basename(source.file)
      return { source, stackName: stackNames.get(file) ?? file.slice(0, -ending.length) }
    })
  const stages = names.filter(name => name.startsWith('assembly-'))
  return [...own, ...stages.flatMap(name => stacksOf(join(folder, name)))]
}

const nestedFiles = (root: unknown): string[] =>
  trees(own(root, 'Resources')).flatMap(([, resource]) => {
    const asset = own(own(resource, 'Metadata'), 'aws:asset:path')
    return isNested(String(resource['Type'])) && typeof asset === 'string' ? [basename(asset)] : []
  })

/** Stack names by template file, as the manifest of the assembly has them. */
function namesOf(folder: string): Map<string, string> {
  const file = join(folder, 'manifest.json')
  if (!existsSync(file)) return new Map()
  const { root } = new TemplateSource(file, readText(file))
  return new Map(
    trees(own(root, 'artifacts')).flatMap(([id, artifact]): [string, string][] => {
      const template = own(artifact['properties'], 'templateFile')
      const name = own(artifact['properties'], 'stackName')
      return typeof template === 'string' ? [[template, typeof name === 'string' ? name : id]] : []
    })
  )
}
