import type { GetFunctionConfigurationCommandOutput, LambdaServiceException } from '@aws-sdk/client-lambda'
import { MillraceError } from '../../core/errors.ts'
import { awsFailure } from '../../core/source/aws-failure.ts'
import type { AwsCredentials } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FunctionFacts, LambdaTarget } from '../../ports/functions.ts'
import type { Log } from '../../ports/log.ts'

export interface LambdaInspectorOptions {
  readonly credentials: AwsCredentials
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/** Somebody who tries a Create again after a change at AWS should not wait for it. */
const keptMs = 30_000
const mostKept = 1_000
const connectMs = 3_000
const answerMs = 5_000

/**
 * Asks AWS Lambda what a function is, for Create and Update. What may not be asked is not known; that is no reason to
 * refuse a mapping, for the right to invoke is another one.
 */
export class LambdaInspector {
  readonly #options: LambdaInspectorOptions
  readonly #kept = new Map<string, { readonly facts: FunctionFacts; readonly untilMs: number }>()

  constructor(options: LambdaInspectorOptions) {
    this.#options = options
  }

  /** Rejects with `MILL_FUNCTION_NOT_FOUND`, `MILL_AWS_CREDENTIALS`, `MILL_AWS_UNREACHABLE` or `MILL_ROLE_REFUSED`. */
  readonly inspect = async (target: LambdaTarget, qualifier: string | undefined): Promise<FunctionFacts> => {
    const { endpoint, functionName, role } = target
    const key = JSON.stringify([endpoint, functionName, qualifier, role?.roleArn, role?.externalId])
    const now = this.#options.clock.now()
    const kept = this.#kept.get(key)
    if (kept !== undefined && kept.untilMs > now) return kept.facts
    const facts = await this.#ask(target, qualifier)
    if (this.#kept.size >= mostKept) this.#kept.clear()
    this.#kept.set(key, { facts, untilMs: now + keptMs })
    return facts
  }

  async #ask(target: LambdaTarget, qualifier: string | undefined): Promise<FunctionFacts> {
    const { functionName, region, endpoint, role } = target
    const { GetFunctionConfigurationCommand, LambdaClient } = await import('@aws-sdk/client-lambda')
    const client = new LambdaClient({
      region,
      endpoint,
      credentials: () => this.#options.credentials.keys({ region, ...role }),
      maxAttempts: 2,
      requestHandler: { connectionTimeout: connectMs, requestTimeout: answerMs, throwOnRequestTimeout: true }
    })
    const input = { FunctionName: functionName, ...(qualifier === undefined ? {} : { Qualifier: qualifier }) }
    try {
      return factsOf(await client.send(new GetFunctionConfigurationCommand(input)))
    } catch (error) {
      if (error instanceof MillraceError) throw error
      return this.#factsOfRefusal(error as LambdaServiceException, functionName)
    } finally {
      client.destroy()
    }
  }

  #factsOfRefusal(error: LambdaServiceException, functionName: string): FunctionFacts {
    const status = error.$metadata?.httpStatusCode
    if (error.name === 'ResourceNotFoundException') throw new MillraceError('MILL_FUNCTION_NOT_FOUND')
    if (error.name === 'AccessDeniedException') {
      const advice = 'with the permission lambda:GetFunctionConfiguration a function is checked before it is mapped'
      this.#options.log.warn({ function: functionName, error: awsFailure(error).text }, advice)
      return {}
    }
    // An emulator that has only Invoke answers what no service of AWS does.
    if (status === 404 || status === 405 || status === 501) return {}
    // Not its own text: that of a wrong signature quotes the request, with its session token.
    const { text } = awsFailure(error)
    const why = status === undefined ? text : `${status} ${text.startsWith(error.name) ? '' : `${error.name}: `}${text}`
    // Without its cause: an error of the SDK holds the request, and whoever logs it would log that.
    throw new MillraceError('MILL_AWS_UNREACHABLE', ['AWS Lambda', `function ${functionName}`, why])
  }
}

const factsOf = ({ Timeout, MemorySize, Version }: GetFunctionConfigurationCommandOutput): FunctionFacts => ({
  ...(Timeout === undefined ? {} : { timeoutSeconds: Timeout }),
  ...(MemorySize === undefined ? {} : { memoryMiB: MemorySize }),
  ...(Version === undefined ? {} : { version: Version })
})
