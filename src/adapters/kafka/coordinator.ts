import type { BrokerAddress, Cluster, WireUse } from './cluster.ts'
import type { Wire } from './wire.ts'

/** Finds the group's coordinator and remembers it until told that it is no longer the one. */
export class CoordinatorFinder {
  readonly #cluster: Cluster
  readonly #groupId: string
  #found: Promise<BrokerAddress> | undefined

  constructor(cluster: Cluster, groupId: string) {
    this.#cluster = cluster
    this.#groupId = groupId
  }

  /** Ask before every request. Rejects when no broker knows, or the coordinator cannot be reached. */
  async wire(use: WireUse): Promise<Wire> {
    const finding = (this.#found ??= this.#cluster.coordinator(this.#groupId))
    try {
      return await this.#cluster.wire(await finding, use)
    } catch (error) {
      if (this.#found === finding) this.forget()
      throw error
    }
  }

  forget(): void {
    this.#found = undefined
  }
}
