import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import type { FoundKeys } from '../../../src/adapters/aws/key-cache.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openLambdaInvoker, type LambdaInvokerOptions } from '../../../src/adapters/invoker/lambda.ts'
import { readSignature, SigningKeys } from '../../../src/control/sigv4.ts'
import type { LambdaTarget } from '../../../src/ports/functions.ts'
import type { Invoker } from '../../../src/ports/invoker.ts'
import { ScriptedFunction } from './scripted-function.ts'

export const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:orders'
export const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

export interface LambdaWorldOptions {
  readonly target?: Partial<LambdaTarget>
  readonly provider?: () => Promise<FoundKeys>
  /** Of the server; default: ours. */
  readonly nowMs?: () => number
}

/** A server in the place of AWS Lambda that runs nothing whose signature does not fit, and invokers for it. */
export async function openLambdaWorld({ target = {}, provider, nowMs = Date.now }: LambdaWorldOptions = {}) {
  const double = await ScriptedFunction.open((request, event) =>
    target.signed === false ? undefined : refusalOf(request, event, nowMs())
  )
  const opened: Invoker[] = []
  const credentials = new AwsCredentialChain(systemClock, { find: provider ?? (async () => key) })
  const open = (overrides: Partial<LambdaTarget> = {}, options: Partial<LambdaInvokerOptions> = {}) => {
    const invoker = openLambdaInvoker(
      {
        kind: 'lambda',
        functionName: arn,
        region: 'eu-west-1',
        endpoint: `http://${double.host}`,
        signed: true,
        timeoutMs: 10_000,
        ...target,
        ...overrides
      },
      { credentials, clock: systemClock, ...options }
    )
    opened.push(invoker)
    return invoker
  }
  return {
    double,
    open,
    invoker: open(),
    impatient: (timeoutMs: number) => open({ timeoutMs }),
    begun: async () => void (await once(double, 'hang')),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(invoker => invoker.close()))
      await double[Symbol.asyncDispose]()
    }
  }
}

function refusalOf(request: IncomingMessage, event: Buffer, nowMs: number): string | undefined {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const { rawHeaders } = request
  const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []))
  const head = { method: request.method ?? '', path, query, headers }
  try {
    const secretOf = (id: string) => (id === key.accessKeyId ? key.secretAccessKey : undefined)
    return readSignature(head, secretOf, nowMs, new SigningKeys()).fits(event)
      ? undefined
      : 'The signature does not fit.'
  } catch (error) {
    return (error as Error).message
  }
}
