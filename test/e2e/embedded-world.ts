import type { TestContext } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { embeddedKafka } from '../support/written-topic.ts'
import { MillraceWorld } from './millrace-world.ts'

/** A world on an embedded broker of its own, whose commits are audited too. */
export class EmbeddedWorld extends MillraceWorld {
  readonly broker: EmbeddedBroker

  static override open(t: TestContext): Promise<EmbeddedWorld> {
    return EmbeddedWorld.on(t, new EmbeddedBroker())
  }

  static async on(t: TestContext, broker: EmbeddedBroker): Promise<EmbeddedWorld> {
    const world = new EmbeddedWorld(t, broker)
    await world.broker.start()
    await world.function.listen()
    return world
  }

  private constructor(t: TestContext, broker: EmbeddedBroker) {
    super(t, embeddedKafka(broker))
    this.broker = broker
    broker.onCommit(commit => this.audit.committed(commit))
  }

  protected override async close(t: object): Promise<void> {
    await super.close(t)
    await this.broker.stop()
  }
}
