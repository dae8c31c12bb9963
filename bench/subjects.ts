import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda'
import type { CreateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import type { BareJob } from './bare.ts'
import { end, firstLine, forkHere, nextMessage, spawnProgram } from './child.ts'

export type Job = BareJob

/** A process that drains the topic. It is up, and has fetched nothing yet. */
export interface Subject extends AsyncDisposable {
  readonly pid: number
  /** Its process is no more. */
  readonly ended: Promise<unknown>
  go(): Promise<void>
}

export interface SubjectOptions {
  /** Where a CPU profile of each thread is written. */
  readonly profileDir?: string | undefined
  /** What the configuration says beside what every run needs. */
  readonly config?: Readonly<Record<string, unknown>>
  /** What the mapping says beside the job. */
  readonly mapping?: Partial<CreateEventSourceMappingCommandInput>
}

export type OpenSubject = (job: Job, options: SubjectOptions) => Promise<Subject>

export const openBare: OpenSubject = job => openModule('bare.ts', job)

/** A consumer as one writes it who needs just this. */
export const openHandWritten: OpenSubject = job => openModule('peers/hand-written.ts', job)

/** A module of ours that is told its job. */
async function openModule(module: string, job: Job): Promise<Subject> {
  const child = forkHere(module)
  await nextMessage(child)
  const go = async () => {
    child.send(job)
  }
  return { pid: child.pid!, ended: once(child, 'exit'), go, [Symbol.asyncDispose]: () => end(child) }
}

const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' }

/** The real program, with one worker and everything else as it comes. */
export const openMillrace: OpenSubject = async (job, { profileDir, config: more, mapping }) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const config = {
    listen: '127.0.0.1:0',
    adminListen: '127.0.0.1:0',
    dataDir: join(folder, 'data'),
    workers: 1,
    logLevel: 'warn',
    credentials: [credentials],
    functions: { bench: { http: job.url } },
    ...more
  }
  const file = join(folder, 'millrace.yaml')
  await writeFile(file, JSON.stringify(config))
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child = spawnProgram(['serve', '--config', file], profiling)
  const dispose = async () => {
    await end(child, 'SIGTERM')
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const { api } = JSON.parse(await firstLine(child)) as { api: string }
    return {
      pid: child.pid!,
      ended: once(child, 'exit'),
      go: () => createMapping(api, job, mapping),
      [Symbol.asyncDispose]: dispose
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function createMapping(api: string, job: Job, mapping: SubjectOptions['mapping']): Promise<void> {
  const client = new LambdaClient({ endpoint: api, region: 'us-east-1', credentials: { ...credentials } })
  try {
    // Its consumer group is named after the mapping, so each run begins anew.
    await client.send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'bench',
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [job.bootstrap] } },
        Topics: [job.topic],
        BatchSize: job.batchSize,
        StartingPosition: 'TRIM_HORIZON',
        ...mapping
      })
    )
  } finally {
    client.destroy()
  }
}
