import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, posix, resolve } from 'node:path'
import type { Resolver } from './resolver.ts'
import { absent, unresolved } from './resolver.ts'
import type { TemplateSource } from './source.ts'
import type { TemplateCode, TemplateFunction, TemplateOptions } from './template.ts'
import { at, below, isTree, kindOf, own, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

interface Reader {
  readonly resolver: Resolver
  readonly source: TemplateSource
  readonly refuse: (path: string, message: string) => void
  readonly note: (text: string) => void
}

/** A function as it is written, its properties with those of `Globals`. */
export interface WrittenFunction {
  readonly logicalId: string
  readonly name: string
  readonly properties: Tree
  readonly metadata: Tree
  /** SAM and CloudFormation name the code differently. */
  readonly isSam: boolean
}

/** Reads what is needed to run a function. What is missing or has no value is refused. */
export function readFunction(written: WrittenFunction, reader: Reader, options: TemplateOptions): TemplateFunction {
  const { logicalId, name, properties } = written
  const path = below('Resources', logicalId, 'Properties')
  const text = (key: string) => readText(reader, properties, path, key)
  const runsElsewhere = options.elsewhere?.includes(name) === true
  const runtime = text('Runtime')
  const code: TemplateCode = runsElsewhere ? { kind: 'elsewhere' } : readCode(written, path, runtime, reader)
  const handler = runsElsewhere ? text('Handler') : builtHandler(written, path, text('Handler'), code, reader)
  if (!runsElsewhere && handler === undefined && runtime?.startsWith('provided') !== true && code.kind === 'folder')
    reader.refuse(at(path, 'Handler'), 'is missing')
  const buildMethod = scalarText(written.metadata['BuildMethod'])
  if (isGiven(properties['Layers']))
    reader.note(`The layers of ${name} are not loaded: what they bring has to be in its folder.`)
  const isBuilt = /[\\/]\.aws-sam[\\/]build([\\/]|$)/.test(reader.source.folder)
  if (buildMethod !== undefined && !isBuilt && !runnableAsIs.test(buildMethod))
    reader.note(
      `${name} is built by ${buildMethod}: after "sam build", the template .aws-sam/build/template.yaml has it built.`
    )
  return {
    logicalId,
    file: reader.source.file,
    path: reader.source.originOf(path).replace(/\.Properties$/, ''),
    name,
    ...(handler === undefined ? {} : { handler }),
    ...(runtime === undefined ? {} : { runtime }),
    code,
    ...(buildMethod === undefined ? {} : { buildMethod }),
    timeoutSeconds: readWhole(reader, properties, path, 'Timeout') ?? 3,
    memoryMiB: readWhole(reader, properties, path, 'MemorySize') ?? 128,
    environment: runsElsewhere ? {} : readEnvironment(written, path, reader, options)
  }
}

const isGiven = (list: unknown): boolean =>
  list !== undefined && list !== null && !(Array.isArray(list) && list.length === 0)

/** SAM's ways to build that leave sources Node or Python can run where they are. */
const runnableAsIs = /^(esbuild|nodejs|python)/

function readText(reader: Reader, properties: Tree, path: string, key: string): string | undefined {
  const value = reader.resolver.resolve(properties[key] ?? undefined, at(path, key))
  if (value === undefined || value === absent || value === unresolved) return undefined
  const text = scalarText(value)
  if (text === undefined) reader.refuse(at(path, key), `must be a text, got ${kindOf(value)}`)
  return text
}

function readWhole(reader: Reader, properties: Tree, path: string, key: string): number | undefined {
  const text = readText(reader, properties, path, key)
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text)
  reader.refuse(at(path, key), `must be a whole number, got ${kindOf(text)}`)
  return undefined
}

/** Variables that are given from outside need no value in the template. */
function readEnvironment(
  { logicalId, name, properties }: WrittenFunction,
  path: string,
  { resolver, refuse }: Reader,
  { environment = {} }: TemplateOptions
): Record<string, string> {
  const given = { ...environment['Parameters'], ...environment[logicalId], ...environment[name] }
  const where = below(path, 'Environment', 'Variables')
  const written = own(properties['Environment'], 'Variables')
  const isFunction = isTree(written) && Object.keys(written).some(key => key === 'Ref' || key.startsWith('Fn::'))
  const variables = isFunction ? resolver.resolve(written, where) : isTree(written) ? written : {}
  const entries = isTree(variables) ? Object.entries(variables) : []
  const texts = entries.flatMap(([key, node]): [string, string][] => {
    if (Object.hasOwn(given, key)) return []
    const value = isFunction ? node : resolver.resolve(node, at(where, key))
    if (value === absent || value === unresolved || value === null) return []
    const text = scalarText(value)
    if (text === undefined) refuse(at(where, key), `must be a text, got ${kindOf(value)}`)
    return text === undefined ? [] : [[key, text]]
  })
  return { ...Object.fromEntries(texts), ...given }
}

function readCode(written: WrittenFunction, path: string, runtime: string | undefined, reader: Reader): TemplateCode {
  const { name, properties, metadata, isSam } = written
  const nowhere: TemplateCode = { kind: 'elsewhere' }
  const refuse = (where: string, message: string): TemplateCode => {
    reader.refuse(where, message)
    return nowhere
  }
  const code = isSam ? undefined : properties['Code']
  const imagePath = isSam ? at(path, 'ImageUri') : below(path, 'Code', 'ImageUri')
  const isImage =
    properties['PackageType'] === 'Image' || isGiven(isSam ? properties['ImageUri'] : own(code, 'ImageUri'))
  if (isImage) {
    const where = properties['PackageType'] === 'Image' ? at(path, 'PackageType') : imagePath
    return refuse(
      where,
      `is a container image, which is not run here: run it yourself and name ${name} in the configuration with its http address`
    )
  }
  const [inline, inlinePath] = isSam
    ? [properties['InlineCode'], at(path, 'InlineCode')]
    : [own(code, 'ZipFile'), below(path, 'Code', 'ZipFile')]
  if (isGiven(inline)) return inlineCode(reader.resolver.resolve(inline, inlinePath), inlinePath, runtime, reader)
  const asset = scalarText(metadata['aws:asset:path'])
  const where = at(path, isSam ? 'CodeUri' : 'Code')
  if (asset !== undefined)
    return folderCode(asset, at(below('Resources', written.logicalId, 'Metadata'), 'aws:asset:path'), reader)
  const uri = reader.resolver.resolve(isSam ? (properties['CodeUri'] ?? '.') : code, where)
  if (uri === unresolved) return nowhere
  if (isTree(uri)) return refuse(where, 'is in S3: name the folder that it was packed from')
  const local = scalarText(uri)
  if (local === undefined) return refuse(where, `must be a folder, got ${kindOf(uri)}`)
  if (/^(s3|https?):\/\//.test(local))
    return refuse(where, `is not on this machine (${local}): name the folder that it was packed from`)
  return folderCode(local, where, reader)
}

function inlineCode(text: unknown, path: string, runtime: string | undefined, reader: Reader): TemplateCode {
  const fileName = runtime?.startsWith('nodejs') ? 'index.js' : runtime?.startsWith('python') ? 'index.py' : undefined
  if (typeof text !== 'string' || fileName === undefined) {
    if (text !== unresolved)
      reader.refuse(
        path,
        fileName === undefined ? 'is for Node.js and Python alone' : `must be a text, got ${kindOf(text)}`
      )
    return { kind: 'elsewhere' }
  }
  return { kind: 'inline', fileName, text }
}

function folderCode(written: string, where: string, reader: Reader): TemplateCode {
  const path = isAbsolute(written) ? written : resolve(reader.source.folder, written)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) reader.refuse(where, `names ${path}, which does not exist`)
  else if (!found.isDirectory())
    reader.refuse(
      where,
      `names ${path}, which is no folder${/\.(zip|jar)$/.test(path) ? ': unpack it and name that' : ''}`
    )
  return { kind: 'folder', path }
}

/**
 * esbuild writes `src/app.ts` as `app.js`, and the handler names that: here it becomes the source that was built. An
 * output has its place below the folder that all entry points share.
 */
function builtHandler(
  { properties, metadata, logicalId }: WrittenFunction,
  path: string,
  handler: string | undefined,
  code: TemplateCode,
  reader: Reader
): string | undefined {
  const points = own(metadata['BuildProperties'], 'EntryPoints')
  if (metadata['BuildMethod'] !== 'esbuild' || handler === undefined || code.kind !== 'folder') return handler
  if (!Array.isArray(points) || points.length === 0) return handler
  const where = below('Resources', logicalId, 'Metadata', 'BuildProperties', 'EntryPoints')
  const files = points.map(point => posix.normalize(scalarText(point) ?? ''))
  const shared = sharedFolder(files)
  const dot = handler.indexOf('.', handler.lastIndexOf('/') + 1)
  const [stem, exported] = dot < 0 ? [handler, ''] : [handler.slice(0, dot), handler.slice(dot)]
  // What "sam build" wrote has the entry points of its sources still.
  if (['.js', '.mjs', '.cjs'].some(extension => existsSync(posix.join(code.path, stem + extension)))) return handler
  const built = files.find(file => withoutExtension(posix.relative(shared, file)) === posix.normalize(stem))
  if (built !== undefined) return `${withoutExtension(built)}${exported}`
  reader.refuse(
    properties['Handler'] === undefined ? where : at(path, 'Handler'),
    `names ${stem}, which no entry point of esbuild builds: it has ${files.join(', ')}`
  )
  return handler
}

const withoutExtension = (file: string): string => posix.join(dirname(file), basename(file, extname(file)))

function sharedFolder(files: readonly string[]): string {
  const [first = '', ...others] = files.map(file => posix.dirname(file))
  let shared = first
  while (shared !== '.' && !others.every(folder => folder === shared || folder.startsWith(`${shared}/`)))
    shared = posix.dirname(shared)
  return shared
}
