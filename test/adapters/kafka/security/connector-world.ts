import type { TestContext } from 'node:test'
import { Writer } from '@platformatic/kafka'
import { systemClock } from '../../../../src/adapters/host/system-clock.ts'
import { BrokerConnector } from '../../../../src/adapters/kafka/broker-connector.ts'
import type { ConnectorDeps } from '../../../../src/adapters/kafka/broker-connector.ts'
import { BufferPool } from '../../../../src/adapters/kafka/buffer-pool.ts'
import type { Wire } from '../../../../src/adapters/kafka/wire.ts'
import type { ClusterSecurity } from '../../../../src/ports/cluster-security.ts'
import { FakeSecrets } from '../../../support/kafka/fake-secrets.ts'
import { RecordingLog } from '../../../support/recording-log.ts'

export function connectorWorld(
  t: TestContext,
  security: ClusterSecurity,
  held: FakeSecrets['current'] = {},
  deps: Partial<ConnectorDeps> = {},
  bootstrapServers: readonly string[] = ['test:1']
) {
  const secrets = new FakeSecrets(held)
  const log = new RecordingLog()
  const pool = new BufferPool(8 << 20)
  const settings = { bootstrapServers, clientId: 'test', connectTimeoutMs: 1000, requestTimeoutMs: 2000, security }
  const connector = new BrokerConnector(settings, { clock: systemClock, pool, secrets, log, ...deps })
  const wires: Wire[] = []
  t.after(() => {
    for (const wire of wires) wire.close()
  })
  return {
    secrets,
    log,
    pool,
    open: async (port: number, host = '127.0.0.1') => {
      const { wire } = await connector.open(host, port)
      wires.push(wire)
      return wire
    }
  }
}

/** Resolves to what the broker echoes. */
export async function echo(wire: Wire, text: string, pooled = false): Promise<string> {
  const payload = Writer.create().append(Buffer.from(text))
  const framing = { taggedRequest: false, taggedResponse: false, timeoutMs: 5000, pooled }
  const { body, lease } = await wire.request({ apiKey: 9999, apiVersion: 0, payload, ...framing })
  const answer = body.toString()
  lease.release()
  return answer
}
