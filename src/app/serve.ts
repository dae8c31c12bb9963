import { mkdir } from 'node:fs/promises'
import { systemClock } from '../adapters/host/system-clock.ts'
import { openLog } from '../adapters/log/pino.ts'
import { sigV4Authenticator } from '../control/authenticator.ts'
import { MillraceError } from '../core/errors.ts'
import { MillraceServer } from './compose.ts'
import type { Config, Credential } from './config.ts'
import { ownCredential } from './credentials.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { stopAsked } from './signals.ts'

/** Every part has limits of its own for its stop; together they take less than the grace and this. */
const stopPatienceMs = 25_000

/** Serves until `io.stop` fires, then ends within the grace. Resolves with the exit code. */
export async function runServe(config: Config, io: Io): Promise<number> {
  const log = openLog({ level: config.logLevel })
  const credentials = await callers(config, io)
  const authenticator = sigV4Authenticator(credentials, systemClock)
  const server = new MillraceServer(config, { log, authenticator })
  try {
    await server.start()
  } catch (error) {
    await server.stop()
    throw error
  }
  io.stdout.write(`${JSON.stringify({ api: server.url, admin: server.adminUrl })}\n`)
  log.info({ api: server.url, admin: server.adminUrl, dataDir: config.dataDir }, 'millrace is serving')
  await stopAsked(io.stop)
  log.info({ signal: String(io.stop.reason), graceMs: config.graceMs }, 'stopping: finishing what is in flight')
  if (!(await within(config.graceMs + stopPatienceMs, server.stop({ graceMs: config.graceMs })))) {
    log.error({}, 'did not stop in time: the process ends as it is')
    return exitCodes.failure
  }
  log.info({}, 'stopped')
  return exitCodes.ok
}

/** False when `work` has not ended by then. */
async function within(timeoutMs: number, work: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, timeoutMs, false)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Who may call: those of the configuration, or a key of our own that is made once. */
async function callers({ credentials, dataDir, region }: Config, io: Io): Promise<readonly Credential[]> {
  if (credentials.length > 0) return credentials
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new MillraceError('MILL_DATA_DIR', [dataDir, (error as Error).message], { cause: error })
  }
  const { credential, file, made } = await ownCredential(dataDir)
  io.stderr.write(
    made
      ? `millrace: no credentials are configured, so a key was made and kept in ${file}. To use it:\n`
      : `millrace: no credentials are configured; the key of ${file} is in force. To use it:\n`
  )
  // The secret itself stays in the file: what a terminal shows ends up in logs and scrollback.
  io.stderr.write(
    `  export AWS_ACCESS_KEY_ID=${credential.accessKeyId} AWS_DEFAULT_REGION=${region}\n` +
      `  export AWS_SECRET_ACCESS_KEY=$(node -p 'require(${JSON.stringify(file)}).secretAccessKey')\n`
  )
  return [credential]
}
