import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AwsReceivers, receiverEnv, type Receiver } from '../support/aws-receivers.ts'
import type { FailureDocument } from '../support/failure-documents.ts'
import { Moto, withMoto } from '../support/moto.ts'
import { outageSeconds, outageTestMs, outlastOutage, type OutageRow } from './destination-outage.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const row = (name: string, form: OutageRow['form'], { arn, bodies }: Receiver): OutageRow => ({
  name,
  destination: arn,
  form,
  says: /^PROBLEM: The on-failure destination did not take the records\. Details: .*the connection was refused/,
  received: async () => (await bodies()).map(body => JSON.parse(body) as FailureDocument)
})

withMoto('AWS destinations that are out under load', () => {
  describe('AWS destinations that are out under load (reference 8.2, 8.3, 8.6)', () => {
    test(
      `${outageSeconds} s without SQS, SNS and S3: nothing is lost or committed past, others go on, all arrives`,
      {
        timeout: outageTestMs
      },
      async t => {
        await using moto = await Moto.start()
        using receivers = new AwsReceivers(moto)
        const world = await EmbeddedWorld.open(t)
        const bucket = await receivers.bucket()
        const rows = [
          row('sqs', 'batch', await receivers.queue()),
          row('sns', 'batch', await receivers.topic()),
          row('s3', 'batch-and-event', bucket)
        ]
        const outage = { begin: () => moto.fail('refuse'), end: () => moto.heal() }
        await outlastOutage(t, world, rows, outage, { env: receiverEnv(moto) })
        const keys = await bucket.keys()
        const key =
          /^aws\/lambda\/[\da-f-]{36}\/s3-[0-3]\/\d{4}\/\d\d\/\d\d\/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
        for (const name of keys) assert.match(name, key)
      }
    )
  })
})
