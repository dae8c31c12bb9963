import { MillraceError } from '../core/errors.ts'
import { EmbeddedBroker } from '../devbroker/broker.ts'
import type { BrokerFlags } from './cli/broker.ts'
import { addressText } from './config/value.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { stopAsked } from './signals.ts'

const bytesPerMiB = 1024 * 1024

/** Runs the embedded broker until a stop is asked for. Throws `MILL_LISTEN` when the address cannot be had. */
export async function runBroker(flags: BrokerFlags, io: Io): Promise<number> {
  const broker = new EmbeddedBroker({
    ...flags.listen,
    maxBytes: flags.maxMib * bytesPerMiB,
    autoCreateTopics: true,
    log: line => io.stderr.write(`${line}\n`)
  })
  for (const { name, partitions } of flags.topics) broker.createTopic(name, { partitions })
  try {
    await broker.start()
  } catch (error) {
    throw new MillraceError(
      'MILL_LISTEN',
      [addressText(flags.listen), '--listen', listenReason((error as Error).cause)],
      {
        cause: error
      }
    )
  }
  try {
    io.stdout.write(announce(broker.bootstrap, flags))
    io.stderr.write('Embedded Kafka broker, in memory: no durability is promised. Ctrl-C ends it.\n')
    await stopAsked(io.stop)
  } finally {
    await broker.stop()
  }
  return exitCodes.ok
}

const announce = (bootstrap: string, { output, topics }: BrokerFlags): string =>
  output === 'json' ? `${JSON.stringify({ bootstrap, topics })}\n` : `${bootstrap}\n`

/** The system's reason in words; its own where there are none. */
export function listenReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return reasons[code ?? ''] ?? message
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'this name has no address'
}
