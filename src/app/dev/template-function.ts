import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { FunctionConfig } from '../config.ts'
import { functionFields } from '../config/fields.ts'
import type { TemplateFunction } from '../templates/read-template.ts'

/** A file that the function needs and that lies nowhere yet. */
export interface NeededFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
}

export interface RunnableFunction {
  readonly config: FunctionConfig
  readonly files: readonly NeededFile[]
}

const concurrency = functionFields.handler.concurrency.default

/**
 * How a function of a template runs here. `inlineDir`: where code goes that stands in the template itself. Undefined: it runs
 * elsewhere. Throws `MILL_DEV_FUNCTION` for a runtime that is not here.
 */
export function runnable(fn: TemplateFunction, inlineDir: string): RunnableFunction | undefined {
  const { code, name } = fn
  if (code.kind === 'elsewhere') return undefined
  const directory = code.kind === 'folder' ? code.path : join(inlineDir, name)
  const files =
    code.kind === 'folder'
      ? []
      : [
          { path: join(directory, code.fileName), text: code.text },
          // Whether it is a module is for its own text to say, not for a package above.
          { path: join(directory, 'package.json'), text: '{}\n' }
        ]
  const { timeoutSeconds, memoryMiB, environment } = fn
  const local = { directory, timeoutSeconds, memoryMiB, environment, concurrency, reload: false }
  const family = /^[a-z]+/.exec(fn.runtime ?? '')?.[0]
  switch (family) {
    case undefined:
      return { files, config: { ...local, kind: 'handler', handler: handlerOf(fn) } }
    case 'nodejs':
      return { files, config: { ...local, kind: 'handler', handler: handlerOf(fn), runtime: 'node' } }
    case 'python':
      return { files, config: { ...local, kind: 'handler', handler: handlerOf(fn), runtime: 'python' } }
    case 'provided': {
      const program = join(directory, 'bootstrap')
      if (!existsSync(program))
        throw new MillraceError('MILL_DEV_FUNCTION', [
          name,
          `its folder ${directory} has no bootstrap, the program of the runtime ${fn.runtime}: build it, or name the template that "sam build" writes`
        ])
      return { files, config: { ...local, kind: 'command', command: [program], handler: fn.handler ?? 'bootstrap' } }
    }
    default:
      throw new MillraceError('MILL_DEV_FUNCTION', [
        name,
        `its runtime ${fn.runtime} is none of nodejs, python and provided; name ${name} under functions in millrace.yaml, with a command that speaks the Lambda Runtime API or with the http address where it runs`
      ])
  }
}

const handlerOf = ({ handler }: TemplateFunction): string => handler ?? 'index.handler'
