import type { Channel } from 'node:diagnostics_channel'
import {
  callEnded,
  callStarted,
  destinationHeld,
  offsetsCommitted,
  partitionAssigned,
  partitionReleased,
  recordsFetched,
  recordsGivenUp
} from '../poller/channels.ts'
import type { PollerEvent } from '../ports/poller-event.ts'

const channels: readonly (readonly [PollerEvent['kind'], Channel])[] = [
  ['assigned', partitionAssigned],
  ['released', partitionReleased],
  ['fetched', recordsFetched],
  ['call-started', callStarted],
  ['call-ended', callEnded],
  ['given-up', recordsGivenUp],
  ['held', destinationHeld],
  ['committed', offsetsCommitted]
]

/** Hands on what the pollers of this thread publish, for as long as the thread lives. */
export function forwardEvents(tell: (event: PollerEvent) => void): void {
  // The channel says which of the messages it is: each is published with its own type beside it.
  for (const [kind, channel] of channels)
    channel.subscribe(message => tell({ kind, ...(message as object) } as PollerEvent))
}
