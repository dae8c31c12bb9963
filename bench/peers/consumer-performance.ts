import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { kafkaJars } from '../../test/support/kafka/jars.ts'
import { costOf, difference, peakMiB } from '../process-cost.ts'
import type { Cost } from '../process-cost.ts'

/** What Kafka's own tool told of a run, and what it cost. */
export interface PerformanceRun {
  readonly records: number
  /** From the first fetch on, without the time that joining its group took: as the tool counts. */
  readonly seconds: number
  /** Of the whole run, start of the virtual machine included. */
  readonly cost?: Cost
  readonly peakMiB?: number
}

const lookEveryMs = 20

/**
 * Kafka's ConsumerPerformance (Java): reads records and counts their bytes; neither decodes them into anything else nor
 * sends them anywhere. With Java's usual compilers, unlike the tools of tests.
 */
export async function runConsumerPerformance(
  bootstrap: string,
  topic: string,
  records: number
): Promise<PerformanceRun> {
  const jars = await kafkaJars()
  if (!jars.available) throw new Error(jars.reason)
  const args = ['--bootstrap-server', bootstrap, '--topic', topic, '--num-records', String(records)]
  const child = spawn(
    jars.java,
    ['-Xmx512m', '-cp', jars.classPath, 'org.apache.kafka.tools.ConsumerPerformance', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, killSignal: 'SIGKILL' }
  )
  const pid = child.pid!
  const ended = once(child, 'exit')
  let before: Cost | undefined
  let cost: Cost | undefined
  let peak: number | undefined
  const timer = setInterval(() => {
    const now = costOf(pid)
    before ??= now
    cost = now ?? cost
    peak = peakMiB(pid) ?? peak
  }, lookEveryMs)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  clearInterval(timer)
  const lines = stdout.trim().split('\n')
  const names = (lines.at(-2) ?? '').split(/, */)
  const cells = (lines.at(-1) ?? '').split(/, */)
  const cell = (name: string) => Number(cells[names.indexOf(name)])
  const [read, ms] = [cell('data.consumed.in.nMsg'), cell('fetch.time.ms')]
  if (!(read >= records) || !(ms > 0)) throw new Error(`ConsumerPerformance said: ${stdout}${stderr}`)
  return {
    records: read,
    seconds: ms / 1000,
    ...(cost === undefined || before === undefined ? {} : { cost: difference(before, cost) }),
    ...(peak === undefined ? {} : { peakMiB: peak })
  }
}
