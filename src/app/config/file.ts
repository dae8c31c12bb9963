import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { Source } from './source.ts'
import { describe } from './value.ts'

/** `millrace.yaml` as it was read: nothing is checked but that it is keys and values. */
export interface ConfigFile {
  /** As the user named it. */
  readonly name: string
  /** Absolute directory it lies in. */
  readonly directory: string
  readonly content: Readonly<Record<string, unknown>>
  /** Where the value under `path` stands; its line when it can be told. */
  source(path: readonly (string | number)[]): Source
}

export const defaultConfigName = 'millrace.yaml'

/**
 * Reads the file a flag or variable names, else `millrace.yaml` of the working directory if there is one.
 * Throws `MILL_CONFIG_FILE_MISSING` for a named file that is not there, `MILL_CONFIG_UNREADABLE` for one that is no YAML.
 */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<ConfigFile | undefined> {
  const name = named ?? defaultConfigName
  const path = resolve(cwd, name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new MillraceError('MILL_CONFIG_UNREADABLE', [name, reasons[code ?? ''] ?? message])
    if (named === undefined) return undefined
    throw new MillraceError('MILL_CONFIG_FILE_MISSING', [name])
  }
  return parseConfigFile(name, dirname(path), text)
}

const reasons: Readonly<Record<string, string>> = { EISDIR: 'it is a directory', EACCES: 'permission denied' }

export async function parseConfigFile(name: string, directory: string, text: string): Promise<ConfigFile> {
  // Loaded here because most commands never read a file.
  const { LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const [broken] = document.errors
  if (broken) throw new MillraceError('MILL_CONFIG_UNREADABLE', [name, firstLine(broken.message)])
  const content = toPlain(name, document)
  return {
    name,
    directory,
    content,
    source(path) {
      const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined
      return node?.range
        ? { kind: 'file', file: name, line: lines.linePos(node.range[0]).line }
        : { kind: 'file', file: name }
    }
  }
}

/** An empty file is a configuration without keys. */
function toPlain(name: string, document: { toJS(): unknown }): Readonly<Record<string, unknown>> {
  let content: unknown
  try {
    content = document.toJS()
  } catch (error) {
    // Aliases that have no anchor, or that grow without bound.
    throw new MillraceError('MILL_CONFIG_UNREADABLE', [name, firstLine((error as Error).message)])
  }
  if (content === null || content === undefined) return {}
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new MillraceError('MILL_CONFIG_UNREADABLE', [name, `its top level must be keys, got ${describe(content)}`])
  }
  return content as Record<string, unknown>
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? text).replace(/:$/, '')
