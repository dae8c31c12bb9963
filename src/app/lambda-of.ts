import type { Log } from '../ports/log.ts'
import type { Config } from './config.ts'

export interface LambdaSettings {
  readonly othersAtLambda?: boolean
  readonly lambdaEndpoint?: string
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|\[::\])$/

/**
 * Where functions at AWS Lambda are found. An environment that was made for clients of this server names its own API as the
 * address of AWS Lambda: then there is nobody to ask but ourselves, and names that we do not have are nobody's.
 */
export function lambdaOf({ unknownFunctions, lambdaEndpoint, listen }: Config, log: Log): LambdaSettings {
  if (lambdaEndpoint === undefined) return unknownFunctions === 'lambda' ? { othersAtLambda: true } : {}
  const url = URL.parse(lambdaEndpoint)
  const isOurs =
    url !== null &&
    listen.port !== 0 &&
    Number(url.port) === listen.port &&
    (url.hostname === listen.host || loopback.test(url.hostname))
  if (!isOurs) return { lambdaEndpoint, ...(unknownFunctions === 'lambda' ? { othersAtLambda: true } : {}) }
  log.info({ endpoint: lambdaEndpoint }, 'AWS_ENDPOINT_URL names this server itself: it is not asked for functions')
  return {}
}
