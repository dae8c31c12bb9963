import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What a `millrace dev` tells the commands beside it. */
export interface RunningDev {
  readonly pid: number
  /** Bootstrap servers, with commas. */
  readonly broker: string
  /** URL of the API. */
  readonly api: string
  /** URL of health and metrics. */
  readonly admin: string
  /** ISO 8601. */
  readonly startedAt: string
}

const fileOf = (dataDir: string): string => join(dataDir, 'dev.json')
/** It listens on loopback. */
const answerMs = 2_000

/** Kept for as long as it runs; one that was killed leaves its file behind, which is then stale. */
export async function writeRunningDev(dataDir: string, dev: RunningDev): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const file = fileOf(dataDir)
  // Whoever reads it finds all of it or nothing.
  await writeFile(`${file}.${dev.pid}`, `${JSON.stringify(dev)}\n`, { mode: 0o600 })
  await rename(`${file}.${dev.pid}`, file)
}

/** Only our own: another may have taken the place. */
export async function removeRunningDev(dataDir: string, pid: number): Promise<void> {
  if ((await read(dataDir))?.pid === pid) await rm(fileOf(dataDir), { force: true })
}

export interface DevSearch {
  /** The one that runs. */
  readonly dev?: RunningDev
  /** One that ran and did not say goodbye. */
  readonly stale?: RunningDev
}

/** The `millrace dev` of a data directory: it runs when its process is there and it answers. */
export async function findDev(dataDir: string): Promise<DevSearch> {
  const dev = await read(dataDir)
  if (dev === undefined) return {}
  return isThere(dev.pid) && (await answers(dev)) ? { dev } : { stale: dev }
}

/** As `findDev`, in the folder `name` of `cwd` and then of each folder above. */
export async function findDevUpwards(cwd: string, name: string): Promise<DevSearch> {
  let stale: RunningDev | undefined
  for (let folder = cwd; ; folder = dirname(folder)) {
    const found = await findDev(join(folder, name))
    if (found.dev !== undefined) return found
    stale ??= found.stale
    if (folder === dirname(folder)) return stale === undefined ? {} : { stale }
  }
}

async function read(dataDir: string): Promise<RunningDev | undefined> {
  try {
    const dev = JSON.parse(await readFile(fileOf(dataDir), 'utf8')) as Partial<Record<keyof RunningDev, unknown>> | null
    const isWhole = typeof dev?.pid === 'number' && typeof dev.broker === 'string' && typeof dev.admin === 'string'
    return isWhole ? (dev as unknown as RunningDev) : undefined
  } catch {
    return undefined // not there, or not ours
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The process's number may be another's by now. */
async function answers({ admin }: RunningDev): Promise<boolean> {
  try {
    const response = await fetch(new URL('/healthz', admin), { signal: AbortSignal.timeout(answerMs) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
