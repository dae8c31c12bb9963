import { systemClock } from '../../adapters/host/system-clock.ts'
import { openProducer } from '../../adapters/kafka/producer.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import type { Io } from '../io.ts'
import { recordsOf } from '../records/record-file.ts'
import type { WrittenRecord } from '../records/record-line.ts'
import { RecordSender } from '../records/record-sender.ts'
import { topicOfSeed, type Seeds } from './seeds.ts'

/** Sends a file that `readSeeds` has checked. Resolves with how many records it has. */
export async function sendSeeds({ file, kept }: Seeds, bootstrapServers: readonly string[], io: Io): Promise<number> {
  const producer = openProducer(
    { cluster: { bootstrapServers }, clientId: 'millrace-dev-seed' },
    { clock: systemClock, log: silentLog }
  )
  try {
    const sender = new RecordSender({ producer, clock: systemClock, signal: io.stop, onSent: () => undefined })
    await sender.send(
      record => topicOfSeed(record, file),
      kept === undefined ? recordsOf(file, '--seed', io) : only(kept)
    )
    return sender.sent
  } finally {
    await producer.close()
  }
}

async function* only(records: readonly WrittenRecord[]): AsyncGenerator<readonly WrittenRecord[]> {
  yield records
}
