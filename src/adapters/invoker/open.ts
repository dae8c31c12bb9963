import type { FunctionTarget } from '../../ports/functions.ts'
import type { Invoker } from '../../ports/invoker.ts'
import { openHttpInvoker } from './http.ts'
import { openLambdaInvoker, type LambdaInvokerOptions } from './lambda.ts'

/** The invoker for a target of any kind. */
export function openInvoker(target: FunctionTarget, options: LambdaInvokerOptions): Invoker {
  switch (target.kind) {
    case 'http':
      return openHttpInvoker(target, options)
    case 'lambda':
      return openLambdaInvoker(target, options)
    default:
      throw new Error(`no invoker for ${JSON.stringify(target satisfies never)}`)
  }
}
