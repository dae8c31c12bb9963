import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { environmentOf, type LocalFunction, type LocalFunctionHome } from './local-function.ts'

/** What to run, once the address of the Runtime API is known. */
export interface RuntimeProgram {
  /** Names the process, as its log stream. */
  readonly instance: string
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  environment(runtimeApi: string): Record<string, string>
  /** Given: requests to the Runtime API must carry it as `x-millrace-token`. */
  readonly token?: string
  /** Somebody looks at it with a debugger: its start may take for ever. */
  readonly inspectPort?: number
}

/** Same extension as ours: `.ts` from sources, `.js` as published. */
const nodeBootstrap = beside(`node-bootstrap${path.extname(import.meta.url)}`)
const pythonBootstrap = beside('python-bootstrap.py')
const nodeMajor = process.versions.node.split('.', 1)[0]

/** The program of one process of a function. `inspectPort`: of a debugger, for Node alone. */
export function programOf(fn: LocalFunction, home: LocalFunctionHome, inspectPort?: number): RuntimeProgram {
  const instance = randomUUID()
  const base = process.env
  const environment = (runtimeApi: string) => environmentOf(fn, home, { runtimeApi, instance, base })
  const common = { instance, cwd: fn.baseDir }
  const [program, ...args] = fn.command ?? []
  if (program !== undefined) {
    const file = program.includes('/') ? path.resolve(fn.baseDir, program) : program
    const directory = program.includes('/') ? path.dirname(file) : fn.baseDir
    return { ...common, file, args, environment: api => ({ ...environment(api), LAMBDA_RUNTIME_DIR: directory }) }
  }
  if (runtimeOf(fn) === 'python') {
    // A module's name: it knows no way through `.`.
    const handler = path.posix.normalize(fn.handler ?? '')
    const withHandler = (api: string) => ({ ...environment(api), _HANDLER: handler })
    return { ...common, file: 'python3', args: [pythonBootstrap, handler], environment: withHandler }
  }
  const token = randomUUID()
  const inspected = inspectPort === undefined ? [] : [`--inspect=127.0.0.1:${inspectPort}`]
  return {
    ...common,
    file: process.execPath,
    args: [...inspected, nodeBootstrap],
    environment: api => ({
      ...environment(api),
      AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${nodeMajor}.x`,
      LAMBDA_RUNTIME_DIR: path.dirname(nodeBootstrap),
      MILLRACE_RUNTIME_TOKEN: token
    }),
    token,
    ...(inspectPort === undefined ? {} : { inspectPort })
  }
}

/** What runs a function: for a handler that does not say, the kind of file it is in. */
export function runtimeOf(fn: LocalFunction): 'node' | 'python' | 'command' {
  if (fn.command !== undefined) return 'command'
  if (fn.runtime !== undefined) return fn.runtime
  const handler = path.resolve(fn.baseDir, fn.handler ?? '')
  const isThere = (extension: string) =>
    statSync(handler.slice(0, handler.lastIndexOf('.')) + extension, { throwIfNoEntry: false })?.isFile() === true
  return isThere('.py') && !nodeExtensions.some(isThere) ? 'python' : 'node'
}

/** The folder whose files count as the function's. */
export function sourceDirOf(fn: LocalFunction): string {
  if (fn.sourceDir !== undefined) return fn.sourceDir
  const named = fn.command === undefined ? fn.handler : fn.command[0]
  return named?.includes('/') === true ? path.dirname(path.resolve(fn.baseDir, named)) : fn.baseDir
}

/** As `node-bootstrap` tries them. */
const nodeExtensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']

function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
