import { metadataRanges } from '../core/net/address-guard.ts'
import type { Config } from './config.ts'

/** For AddressGuard, which each thread makes for itself: ranges are data and cross threads. */
export const refusedRanges = ({
  refusedAddresses,
  allowMetadataAddresses
}: Pick<Config, 'refusedAddresses' | 'allowMetadataAddresses'>): readonly string[] => [
  ...(allowMetadataAddresses ? [] : metadataRanges),
  ...refusedAddresses
]
