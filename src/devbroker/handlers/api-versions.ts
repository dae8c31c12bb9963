import { defineApi } from '../api.ts'
import type { Api } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import * as s from '../wire-schema.ts'

export const apiVersionsKey = 18

/** A feature with a version (KIP-584): `group.version` 1 says that groups may speak KIP-848. */
const feature = s.struct({ name: s.string, firstVersion: s.int16, secondVersion: s.int16 })
const groupVersion = { name: 'group.version', firstVersion: 1, secondVersion: 1 }

/** Made from the table it is about, itself included. */
export function apiVersions(others: readonly Api[]): Api {
  const own: Api = defineApi({
    key: apiVersionsKey,
    name: 'ApiVersions',
    versions: [0, 4],
    flexibleFrom: 3,
    request: s.struct({ clientSoftwareName: s.since(3, s.string), clientSoftwareVersion: s.since(3, s.string) }),
    response: s.struct({
      errorCode: s.int16,
      apiKeys: s.array(s.struct({ apiKey: s.int16, minVersion: s.int16, maxVersion: s.int16 })),
      throttleTimeMs: s.since(1, s.int32),
      supportedFeatures: s.tagged(0, 3, s.array(feature)),
      finalizedFeaturesEpoch: s.tagged(1, 3, s.int64),
      finalizedFeatures: s.tagged(2, 3, s.array(feature))
    }),
    handle(_request, { broker }) {
      const apiKeys = [...others, own].filter(api => broker.offers(api)).map(describe)
      const answer = { errorCode: errorCodes.NONE, apiKeys }
      if (!broker.options.groupProtocols.has('consumer')) return answer
      return {
        ...answer,
        supportedFeatures: [groupVersion],
        finalizedFeaturesEpoch: 1,
        finalizedFeatures: [groupVersion]
      }
    },
    // A client that asked in a version from the future reads here which one to ask in.
    refuse: (_request, errorCode) => ({ errorCode, apiKeys: [describe(own)] })
  })
  return own
}

function describe({ key, versions: [minVersion, maxVersion] }: Api) {
  return { apiKey: key, minVersion, maxVersion }
}
