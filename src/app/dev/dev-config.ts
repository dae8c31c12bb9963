import { BlockList, createServer, isIP } from 'node:net'
import { join } from 'node:path'
import type { Address, ClusterConfig, Config, LoadedConfig } from '../config.ts'
import { record, valueError } from '../config/value.ts'
import type { DevPlan } from './plan.ts'

/** One thread moves more records than somebody can look at. */
const workers = 1

/**
 * How the server of a `millrace dev` is set. Mappings live as long as it does, so its store is a folder of its own. Throws
 * `MILL_CONFIG_VALUE` for an API that others could reach: it takes any credentials.
 */
export async function devConfig({ config, given }: LoadedConfig, plan: DevPlan): Promise<Config> {
  const isSet = (key: keyof LoadedConfig['given']) => given[key].source.kind !== 'default'
  for (const key of ['listen', 'adminListen'] as const) {
    if (!isLoopback(config[key].host))
      throw valueError(given[key], 'an address of loopback such as 127.0.0.1:4577: dev takes any credentials')
  }
  const { unknownFunctions, ...rest } = config
  return {
    ...rest,
    // A function that the template lacks may be one in production.
    ...(unknownFunctions !== undefined && isSet('unknownFunctions') ? { unknownFunctions } : {}),
    listen: isSet('listen') ? config.listen : await freeAt(config.listen),
    adminListen: isSet('adminListen') ? config.adminListen : await freeAt(config.adminListen),
    dataDir: join(config.dataDir, 'dev'),
    // What was written has been checked by AWS's rules; what runs is not it: files in place of queues, no logins.
    strictAws: false,
    workers: isSet('workers') ? config.workers : workers,
    functions: plan.functions,
    logLevel: isSet('logLevel') ? config.logLevel : 'silent'
  }
}

/** With the broker for the MSK clusters that it stands for. */
export const withBroker = (
  { clusters }: Config,
  { stoodFor }: DevPlan,
  bootstrap: readonly string[]
): Config['clusters'] =>
  record<ClusterConfig>([...stoodFor.map(arn => [arn, { plaintext: bootstrap }] as const), ...Object.entries(clusters)])

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}

/** The address, or any free port where somebody else has it: another project may be open as well. */
function freeAt(address: Address): Promise<Address> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve({ ...address, port: 0 }))
    probe.listen(address.port, address.host, () => probe.close(() => resolve(address)))
  })
}
