import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const pom = join(import.meta.dirname, 'pom.xml')
const oldestJava = 17
const fetchTimeoutMs = 300_000

/** What it takes to run Kafka's Java programs, or why that cannot be done here and what would help. */
export type KafkaJars =
  | { readonly available: true; readonly java: string; readonly classPath: string }
  | { readonly available: false; readonly reason: string }

let found: Promise<KafkaJars> | undefined

/**
 * Finds the jars of Apache Kafka, and fetches them by Maven when no earlier run did.
 * They are kept outside the checkout, in `MILLRACE_KAFKA_CACHE` (default `~/.cache/millrace/kafka-4.3.1`).
 */
export function kafkaJars(): Promise<KafkaJars> {
  return (found ??= find())
}

async function find(): Promise<KafkaJars> {
  const java = process.env['JAVA_HOME'] ? join(process.env['JAVA_HOME'], 'bin', 'java') : 'java'
  const unfit = await unfitJava(java)
  if (unfit !== undefined) return missing(unfit)

  // Named after the pom's content: a changed pom never meets the jars of the old one.
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
  const libs = join(cacheFolder(), `libs-${digest.slice(0, 12)}`)
  if (!existsSync(libs)) {
    const problem = await fetchJars(libs)
    if (problem !== undefined) return missing(problem)
  }
  return { available: true, java, classPath: join(libs, '*') }
}

function missing(reason: string): KafkaJars {
  return { available: false, reason: `no Apache Kafka here: ${reason}` }
}

export function cacheFolder(): string {
  return process.env['MILLRACE_KAFKA_CACHE'] ?? join(homedir(), '.cache', 'millrace', 'kafka-4.3.1')
}

async function unfitJava(java: string): Promise<string | undefined> {
  const need = `Java ${oldestJava} or newer on the PATH or in JAVA_HOME would do`
  try {
    const { stderr } = await run(java, ['-version'])
    const major = Number(/version "(\d+)/.exec(stderr)?.[1])
    return major >= oldestJava ? undefined : `'${java}' is ${stderr.split('\n')[0]}; ${need}`
  } catch (error) {
    return `'${java}' does not run (${firstLine(error)}); ${need}`
  }
}

/** Fetches beside the final place and renames, so that a folder of that name is always whole. */
async function fetchJars(libs: string): Promise<string | undefined> {
  const cache = cacheFolder()
  await mkdir(cache, { recursive: true })
  const temporary = await mkdtemp(join(cache, 'fetching-'))
  try {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${temporary}`]
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: fetchTimeoutMs, maxBuffer: 64 << 20 })
    await rename(temporary, libs)
    return undefined
  } catch (error) {
    // Another process was quicker: its folder is as good as ours.
    if (existsSync(libs)) return undefined
    return `Maven could not fetch the jars into ${cache} (${firstLine(error)}); mvn on the PATH and its repository in reach would do`
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const output = 'stdout' in error ? String(error.stdout) : ''
  const told = output.split('\n').find(line => line.includes('ERROR'))
  return told ?? error.message.split('\n')[0] ?? ''
}
