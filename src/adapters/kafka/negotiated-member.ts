import type { Log } from '../../ports/log.ts'
import type { GroupIdentity, GroupProtocol } from './group-protocol.ts'

export interface Protocols {
  /** A member of KIP-848's protocol that calls `refused` and ends when broker or group do not take part in it. */
  readonly consumer: (refused: (why: string) => void) => GroupProtocol
  readonly classic: () => GroupProtocol
}

/** Speaks KIP-848 where the coordinator offers it and the group may, else the classic protocol, and says which. */
export class NegotiatedMember implements GroupProtocol {
  readonly #protocols: Protocols
  readonly #log: Log
  readonly #first: GroupProtocol
  #spoken: GroupProtocol
  #stopped = false

  constructor(protocols: Protocols, log: Log) {
    this.#protocols = protocols
    this.#log = log
    this.#first = this.#spoken = protocols.consumer(why => this.#fallBack(why))
  }

  start(): void {
    this.#spoken.start()
  }

  get identity(): GroupIdentity | undefined {
    return this.#spoken.identity
  }

  get settling(): boolean {
    return this.#spoken.settling
  }

  owns(partition: number): boolean {
    return this.#spoken.owns(partition)
  }

  get confirmedMs(): number {
    return this.#spoken.confirmedMs
  }

  get unheard(): boolean {
    return this.#spoken.unheard
  }

  suspect(): void {
    this.#spoken.suspect()
  }

  stop(): Promise<void> {
    this.#stopped = true
    return this.#spoken.stop()
  }

  get ended(): Promise<void> {
    return Promise.all([this.#first.ended, this.#spoken.ended]).then(() => undefined)
  }

  #fallBack(why: string): void {
    if (this.#stopped) return
    this.#log.info({ why }, 'the group does not speak the protocol consumer: it is joined by the classic one')
    this.#spoken = this.#protocols.classic()
    this.#spoken.start()
  }
}
