import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/app/config.ts'
import { refusedRanges } from '../../src/app/refused-ranges.ts'
import { AddressGuard } from '../../src/core/net/address-guard.ts'

const load = (env: Readonly<Record<string, string>> = {}) => loadConfig({ cwd: '/nowhere', env })

async function refuses(address: string, env?: Readonly<Record<string, string>>): Promise<boolean> {
  return new AddressGuard(refusedRanges((await load(env)).config)).refusal(address) !== undefined
}

test('metadata addresses are refused and loopback is not, unless the configuration says otherwise', async () => {
  assert.deepEqual([await refuses('169.254.169.254'), await refuses('127.0.0.1')], [true, false])
  assert.equal(await refuses('169.254.169.254', { MILLRACE_ALLOW_METADATA_ADDRESSES: '1' }), false)
  const env = { MILLRACE_REFUSED_ADDRESSES: '127.0.0.0/8, fd00::/8' }
  assert.deepEqual([await refuses('127.0.0.1', env), await refuses('fd00::1', env)], [true, true])
  assert.equal(await refuses('169.254.169.254', env), true, 'ranges are added to those of metadata services')
})

test('what is no range is refused by name', async () => {
  await assert.rejects(load({ MILLRACE_REFUSED_ADDRESSES: '10.0.0.0/8,10.0.0.0/33' }), {
    code: 'MILL_CONFIG_VALUE',
    message:
      'refusedAddresses[1] must be a range of addresses such as 10.0.0.0/8, fd00::/8 or 192.0.2.7, got "10.0.0.0/33" (from environment variable MILLRACE_REFUSED_ADDRESSES).'
  })
})
