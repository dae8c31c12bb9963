import type { DevFlags } from '../cli/dev.ts'
import type { FunctionConfig } from '../config.ts'
import { defaultWindowMs } from '../../core/mapping/mapping.ts'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import type { DevPlan } from './plan.ts'
import { bodyFor, type LocalMapping } from './local-mapping.ts'

/** Where a function runs, for people. */
export function functionRow(name: string, fn: FunctionConfig, { reload }: Pick<DevFlags, 'reload'>): string {
  const reloads = reload || ('reload' in fn && fn.reload) ? ', again when its files change' : ''
  switch (fn.kind) {
    case 'handler':
      return `${name}: ${fn.handler} by ${fn.runtime ?? 'the runtime of its file'}${reloads}`
    case 'command':
      return `${name}: ${fn.command.join(' ')}${reloads}`
    case 'http':
      return `${name}: ${new URL(fn.url).origin}`
    case 'lambda':
      return `${name}: ${fn.lambda} at AWS Lambda`
    default:
      throw new Error(`unknown function ${JSON.stringify(fn satisfies never)}`)
  }
}

export function mappingRow({ parsed }: LocalMapping): string {
  const { topic, functionName, batchSize, windowSeconds, startingPosition, enabled } = parsed
  const windowMs = windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1_000
  const off = enabled ? '' : ', disabled'
  return `${topic} → ${bareName(functionName)}, up to ${batchSize} records or ${windowMs} ms, from ${startingPosition.kind}${off}`
}

/** Without account, region and qualifier. */
export const bareName = (functionName: string): string =>
  parseFunctionName(functionName, { region: 'us-east-1', accountId: '000000000000' }).name

/** `--print-config`: what would run. Values of environment variables are shown, as they are the template's. */
export function planJson(plan: DevPlan, { bootstrap }: Pick<DevFlags, 'bootstrap'>): string {
  const { origin, functions, mappings, topics, stoodFor, notes } = plan
  const shown = {
    origin,
    broker: bootstrap ?? 'embedded',
    functions,
    mappings: mappings.map(mapping => bodyFor(mapping, bootstrap ?? ['embedded'])),
    topics,
    mskArns: stoodFor,
    notes
  }
  return `${JSON.stringify(shown, undefined, 2)}\n`
}
