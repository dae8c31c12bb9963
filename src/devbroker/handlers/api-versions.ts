import { defineApi } from '../api.ts'
import type { Api } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import * as s from '../wire-schema.ts'

export const apiVersionsKey = 18

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
      throttleTimeMs: s.since(1, s.int32)
    }),
    handle: () => ({ errorCode: errorCodes.NONE, apiKeys: [...others, own].map(describe) }),
    // A client that asked in a version from the future reads here which one to ask in.
    refuse: (_request, errorCode) => ({ errorCode, apiKeys: [describe(own)] })
  })
  return own
}

function describe({ key, versions: [minVersion, maxVersion] }: Api) {
  return { apiKey: key, minVersion, maxVersion }
}
