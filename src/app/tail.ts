import { once } from 'node:events'
import { systemClock } from '../adapters/host/system-clock.ts'
import { TopicUnreadable } from '../adapters/kafka/range-reader.ts'
import { readTopic } from '../adapters/kafka/topic-reader.ts'
import { silentLog } from '../adapters/log/silent.ts'
import { MillraceError } from '../core/errors.ts'
import type { ConsumerProblem } from '../ports/consumer.ts'
import type { TailFlags } from './cli/tail.ts'
import { findBroker } from './dev/find-broker.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { recordAt, recordJson, recordText } from './records/record-text.ts'
import { interruptedBy } from './signals.ts'

/** Prints the records of a topic; resolves with the exit code when it ends there, or the user ends it. */
export async function runTail(flags: TailFlags, io: Io): Promise<number> {
  const { topic, from, follow, output } = flags
  const bootstrapServers = await findBroker(flags, io)
  const textOf = output === 'json' ? recordJson : recordText
  const reading = {
    cluster: { bootstrapServers },
    clientId: 'millrace-tail',
    topic,
    from,
    follow,
    signal: io.stop,
    problem: (problem: ConsumerProblem | undefined) => {
      io.stderr.write(`millrace: ${problem === undefined ? 'reading goes on' : problem.message}\n`)
    }
  }
  try {
    for await (const block of readTopic(reading, { clock: systemClock, log: silentLog })) {
      const lines = Array.from({ length: block.count }, (_, at) => `${textOf(recordAt(block, at))}\n`)
      block.finish(block.count)
      // A reader that is slower than Kafka is waited for.
      if (!io.stdout.write(lines.join(''))) await once(io.stdout, 'drain', { signal: io.stop })
    }
  } catch (error) {
    if (io.stop.aborted) return ended(follow, io)
    if (!(error instanceof TopicUnreadable)) throw error
    const code = error.kind === 'unknown-topic' ? 'MILL_TOPIC_UNKNOWN' : 'MILL_TOPIC_UNREADABLE'
    throw new MillraceError(code, [error.message], { cause: error })
  }
  return ended(follow, io)
}

/** Ctrl-C is how following ends. */
const ended = (follow: boolean, { stop }: Io): number => (stop.aborted && !follow ? interruptedBy(stop) : exitCodes.ok)
