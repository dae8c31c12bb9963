import { defineApi } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import * as s from '../wire-schema.ts'

export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexibleFrom: 2,
  request: s.struct({
    transactionalId: s.nullableString,
    transactionTimeoutMs: s.int32,
    producerId: s.since(3, s.int64, -1),
    producerEpoch: s.since(3, s.int16, -1)
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    errorCode: s.int16,
    producerId: s.int64,
    producerEpoch: s.int16
  }),
  handle({ transactionalId }, { broker }) {
    // There are no transactions here; this is the refusal that producers take as final.
    if (transactionalId !== null) {
      return { errorCode: errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, producerId: -1, producerEpoch: -1 }
    }
    return { errorCode: errorCodes.NONE, producerId: broker.nextProducerId(), producerEpoch: 0 }
  },
  refuse: (_request, errorCode) => ({ errorCode, producerId: -1, producerEpoch: -1 })
})
