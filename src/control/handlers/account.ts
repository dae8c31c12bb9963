import type { FunctionCatalog } from '../../ports/functions.ts'
import { json } from '../reply.ts'
import type { Route } from '../router.ts'
import type { AccountSettings } from '../shapes.ts'

/** AWS's limits of a new account: tools ask for them, nothing here is measured against them. */
const accountLimit = {
  TotalCodeSize: 80_530_636_800,
  CodeSizeUnzipped: 262_144_000,
  CodeSizeZipped: 52_428_800,
  ConcurrentExecutions: 1_000,
  UnreservedConcurrentExecutions: 1_000
} as const

/** GetAccountSettings, for tools that ask before they begin. */
export function accountRoutes(functions: FunctionCatalog): Route[] {
  return [
    {
      operation: 'GetAccountSettings',
      method: 'GET',
      path: '/2016-08-19/account-settings',
      access: 'read',
      handle: async () => {
        const settings: AccountSettings = {
          AccountLimit: accountLimit,
          AccountUsage: { TotalCodeSize: 0, FunctionCount: functions.list().length }
        }
        return json(200, settings)
      }
    }
  ]
}
