import { constants } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { ConfiguredFunctions } from '../../adapters/invoker/catalog.ts'
import { reachFunction } from '../../adapters/invoker/function-reach.ts'
import { LambdaInspector } from '../../adapters/invoker/lambda-inspector.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LambdaTarget } from '../../ports/functions.ts'
import type { CommandFunctionConfig, Config, HandlerFunctionConfig } from '../config.ts'
import { lambdaOf } from '../lambda-of.ts'
import { Complaint, type Finding, type Line } from './checkup.ts'

export interface FunctionExaminationDeps {
  readonly config: Config
  readonly guard: AddressGuard
  readonly clock: Clock
  readonly aws: MappingCredentials
}

/** Whether the function is there to be called. It is not called. */
export async function examineFunction(
  written: string | undefined,
  { config, guard, clock, aws }: FunctionExaminationDeps,
  line: Line
): Promise<void> {
  if (written === undefined) return line.skip('function', undefined, 'none was named')
  await line.run('function', written, async signal => {
    const { name, arn, isLocated, qualifier } = parseFunctionName(written, config)
    const own = config.functions[name]
    if (own?.kind === 'http')
      return reached(own.url, () =>
        reachFunction(own.url, { guard, signal, ...(own.tls === undefined ? {} : { tls: own.tls }) })
      )
    if (own?.kind === 'handler' || own?.kind === 'command') return local(own, config)
    const functions = new ConfiguredFunctions({
      functions: config.functions,
      host: {
        target: () => {
          throw new Error('local functions do not run here')
        }
      },
      region: config.region,
      accountId: config.accountId,
      inspect: new LambdaInspector({ credentials: aws.credentials, clock, log: silentLog }).inspect,
      ...lambdaOf(config, silentLog)
    })
    const entry = functions.find(name, isLocated ? arn : undefined)
    if (entry === undefined)
      throw new Complaint(
        `the configuration here has no function ${name}`,
        'Name it under "functions" in millrace.yaml, or name that file with --config.'
      )
    const facts = await entry.inspect?.(qualifier, aws.role)
    // The right to look is another than the right to call, and emulators have only the call.
    if (facts === undefined || facts.timeoutSeconds === undefined)
      return reached((entry.target as LambdaTarget).endpoint, () =>
        reachFunction((entry.target as LambdaTarget).endpoint, { guard, signal })
      )
    return { detail: `is at AWS Lambda; its timeout is ${facts.timeoutSeconds} s`, value: undefined }
  })
}

/** Says nothing of a URL but its host: the rest may hold a key. */
async function reached(url: string, reach: () => Promise<void>): Promise<Finding<undefined>> {
  const { host } = new URL(url)
  try {
    await reach()
  } catch (error) {
    throw new Complaint(
      `${host} cannot be reached: ${(error as Error).message}`,
      'Start what answers there, or correct the address of the function.',
      { cause: error }
    )
  }
  return { detail: `${host} takes connections; it was not called`, value: undefined }
}

async function local(
  fn: HandlerFunctionConfig | CommandFunctionConfig,
  { baseDir }: Config
): Promise<Finding<undefined>> {
  if (fn.kind === 'command') {
    const [program = ''] = fn.command
    if (!program.includes('/')) return { detail: `runs ${program} of the search path`, value: undefined }
    const path = resolve(baseDir, program)
    await access(path, constants.X_OK).catch((error: NodeJS.ErrnoException) => {
      throw new Complaint(
        `${path} cannot be run (${error.code})`,
        'Build the program, or correct its path and its rights.'
      )
    })
    return { detail: `${path} can be run`, value: undefined }
  }
  const handler = resolve(fn.directory ?? baseDir, fn.handler)
  const stem = basename(handler).replace(/\.[^.]*$/, '')
  const files = await readdir(dirname(handler)).catch(() => [])
  const file = files.find(each => each.replace(/\.[^.]*$/, '') === stem)
  if (file === undefined)
    throw new Complaint(
      `there is no file ${stem} with an extension in ${dirname(handler)}`,
      'Build the function, or correct its handler: path/to/file.export.'
    )
  return { detail: `${file} is in ${dirname(handler)}`, value: undefined }
}
