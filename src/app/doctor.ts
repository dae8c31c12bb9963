import { AwsCredentialChain } from '../adapters/aws/credentials.ts'
import { systemClock } from '../adapters/host/system-clock.ts'
import { openClusterSecrets } from '../adapters/secrets/cluster-secrets.ts'
import { MillraceError } from '../core/errors.ts'
import { AddressGuard } from '../core/net/address-guard.ts'
import { openClusters } from './clusters.ts'
import { loadConfig, type Config } from './config.ts'
import { Checkup, type Line } from './doctor/checkup.ts'
import { examineClock } from './doctor/clock-examination.ts'
import { examineDestination } from './doctor/destination-examination.ts'
import type { DoctorFlags } from './doctor/flags.ts'
import { examineFunction } from './doctor/function-examination.ts'
import { examineKafka } from './doctor/kafka-examination.ts'
import { findPatient, type Patient } from './doctor/patient.ts'
import { accountOf, accountText } from './doctor/present.ts'
import { examineSecrets } from './doctor/secret-examination.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { endpointOf } from './mappings/api.ts'
import { mappingCredentials } from './mapping-credentials.ts'
import { refusedRanges } from './refused-ranges.ts'
import { interruptedBy } from './signals.ts'

export interface DoctorTiming {
  /** The API is waited for so long. */
  readonly apiMs: number
  readonly stepMs: number
  /** Of all steps, the API not among them. With `apiMs` it stays under half a minute. */
  readonly totalMs: number
}

const defaultTiming: DoctorTiming = { apiMs: 6_000, stepMs: 6_000, totalMs: 20_000 }

/** Looks at everything a mapping needs, step by step, and resolves with the exit code: 0 when nothing is wrong. */
export async function runDoctor(flags: DoctorFlags, io: Io, timing: DoctorTiming = defaultTiming): Promise<number> {
  const { config, warnings } = await loadConfig({ cwd: io.cwd, env: io.env, configFile: flags.configFile })
  for (const warning of warnings) io.stderr.write(`millrace: ${warning}\n`)
  try {
    const patient = await findInTime(flags, io, timing.apiMs)
    using progress = new StepProgress(io)
    const checkup = new Checkup({
      clock: systemClock,
      stepMs: timing.stepMs,
      totalMs: timing.totalMs,
      stop: io.stop,
      began: (step, about) => progress.at(step, about)
    })
    await examine(patient, config, checkup, io, timing)
    if (io.stop.aborted) return interruptedBy(io.stop)
    progress.clear()
    const account = accountOf(checkup.reports, checkup.elapsedMs)
    const format = flags.output ?? (io.columns === undefined ? 'json' : 'table')
    io.stdout.write(accountText(account, format, io))
    return account.ok ? exitCodes.ok : exitCodes.failure
  } catch (error) {
    if (io.stop.aborted) return interruptedBy(io.stop)
    throw error
  }
}

async function findInTime(flags: DoctorFlags, { env, cwd, stop }: Io, apiMs: number): Promise<Patient> {
  const late = AbortSignal.timeout(apiMs)
  try {
    return await findPatient(flags, { env, cwd, stop: AbortSignal.any([stop, late]) })
  } catch (error) {
    if (!late.aborted) throw error
    const { origin } = endpointOf(flags.connection.endpointUrl, env)
    throw new MillraceError('MILL_API_UNREACHABLE', [origin, `no answer within ${apiMs / 1000} s`], { cause: error })
  }
}

async function examine(
  patient: Patient,
  config: Config,
  checkup: Checkup,
  { env }: Pick<Io, 'env'>,
  { stepMs }: DoctorTiming
): Promise<void> {
  const clock = systemClock
  const aws = new AwsCredentialChain(clock)
  const whose = mappingCredentials(aws, patient.wish.tags)
  const guard = new AddressGuard(refusedRanges(config))
  const secrets = openClusterSecrets({
    aws,
    clock,
    environment: env,
    strictAws: config.strictAws,
    guard
  })
  const kafka = checkup.line()
  const further: Line[] = []
  const examineCluster = async (): Promise<void> => {
    const address = await kafka.run('cluster', nameOf(patient), async () => {
      const value = await openClusters(config, { aws, clock }).address(patient.wish)
      const { protocol = 'PLAINTEXT', mechanism } = value.security ?? {}
      const how = mechanism === undefined ? protocol : `${protocol}, ${mechanism}`
      return { detail: `${how}: ${value.bootstrapServers.join(', ')}`, value }
    })
    if (address === undefined) return
    const { security } = address
    await examineSecrets(security, secrets, clock, kafka)
    // An answer that does not come is to be told of before the step that waits for it is given up.
    const answerMs = Math.round(stepMs * 0.6)
    await Promise.all([
      examineKafka(address, patient, { clock, secrets, guard, answerMs }, kafka, () => {
        const line = checkup.line()
        further.push(line)
        return line
      }),
      examineClock(security, patient.api, { clock, guard, env }, checkup.line())
    ])
  }
  await Promise.all([
    examineCluster(),
    examineFunction(patient.functionName, { config, guard, clock, aws: whose }, checkup.line()),
    examineDestination(patient.destination, { config, aws: whose }, checkup.line())
  ])
}

const nameOf = ({ wish: { source } }: Patient): string =>
  source.kind === 'msk' ? source.arn : source.bootstrapServers.join(',')

/** On a terminal, what is being looked at. */
class StepProgress implements Disposable {
  readonly #io: Pick<Io, 'stderr' | 'columns'>
  #isDrawn = false

  constructor(io: Pick<Io, 'stderr' | 'columns'>) {
    this.#io = io
  }

  at(step: string, about: string | undefined): void {
    const { columns, stderr } = this.#io
    if (columns === undefined) return
    const text = `looking at ${step}${about === undefined ? '' : ` ${about}`}`
    stderr.write(`\r\u001B[K${text.slice(0, columns - 1)}`)
    this.#isDrawn = true
  }

  clear(): void {
    if (this.#isDrawn) this.#io.stderr.write('\r\u001B[K')
    this.#isDrawn = false
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
