import { resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import { loadConfig } from '../config.ts'
import type { Io } from '../io.ts'
import { findDev, findDevUpwards } from './running-dev.ts'

/** Where records are sent and read. */
export interface BrokerChoice {
  /** `HOST:PORT` each, as a flag named them. */
  readonly bootstrap?: readonly string[]
  /** Of the `millrace dev` to use. */
  readonly dataDir?: string
}

/** Bootstrap servers: those that are named, else those of the `millrace dev` that runs here. Rejects with `MILL_DEV_NOT_FOUND`. */
export async function findBroker({ bootstrap, dataDir }: BrokerChoice, io: Pick<Io, 'cwd' | 'env'>): Promise<string[]> {
  if (bootstrap !== undefined) return [...bootstrap]
  const { cwd, env } = io
  const { config, given } = await loadConfig({ cwd, env, flags: dataDir === undefined ? {} : { dataDir } })
  const isDefault = given.dataDir.source.kind === 'default'
  const { dev, stale } = isDefault
    ? await findDevUpwards(resolve(cwd), String(given.dataDir.value))
    : await findDev(config.dataDir)
  if (dev !== undefined) return dev.broker.split(',')
  const where = isDefault ? `${cwd} or a folder above` : config.dataDir
  const ran = stale === undefined ? '' : ` (the one of process ${stale.pid} has ended without a word)`
  throw new MillraceError('MILL_DEV_NOT_FOUND', [where, ran])
}
