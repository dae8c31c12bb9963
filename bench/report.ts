import type { Measured } from './function-double.ts'
import { cpuSeconds } from './process-cost.ts'
import type { Workload } from './workloads.ts'

/** One run of each, one after the other. */
export interface Round {
  readonly millrace: Measured
  readonly bare: Measured
  /** The machine's load average over the last minute, at the end of the round. */
  readonly load: number
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Millrace by the bare loop, paired round by round. */
export interface Ratios {
  /** Absent where the system does not tell CPU times. */
  readonly cpu?: Spread
  readonly rate: Spread
}

export interface WorkloadResult {
  readonly workload: Workload
  readonly rounds: readonly Round[]
  readonly ratios: Ratios
}

const rate = ({ records, seconds }: Measured): number => records / seconds
const cpuPerMillion = ({ cost, records }: Measured): number | undefined =>
  cost === undefined ? undefined : (cpuSeconds(cost) * 1e6) / records

/** One run in one line. */
export function told(measured: Measured): string {
  const { cost, records, requests, peakMiB } = measured
  const perMillion = (seconds: number) => ((seconds * 1e6) / records).toFixed(2)
  const cpu =
    cost === undefined
      ? 'CPU unknown'
      : `${perMillion(cpuSeconds(cost))} CPU s per million (user ${perMillion(cost.userSeconds)}, system ` +
        `${perMillion(cost.systemSeconds)}), ${cost.pageFaults} page faults`
  return `${thousands(rate(measured))} records/s, ${cpu}, ${requests} requests, ${peakMiB ?? '?'} MiB`
}

export function ratios(rounds: readonly Round[]): Ratios {
  const cpu = rounds.flatMap(({ millrace, bare }) => {
    const [ours, theirs] = [cpuPerMillion(millrace), cpuPerMillion(bare)]
    return ours === undefined || theirs === undefined ? [] : [ours / theirs]
  })
  return {
    ...(cpu.length === rounds.length ? { cpu: spread(cpu) } : {}),
    rate: spread(rounds.map(({ millrace, bare }) => rate(millrace) / rate(bare)))
  }
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

const columns = [
  'workload',
  'Millrace: records/s',
  'CPU s per million',
  'peak MiB',
  'bare loop: records/s',
  'CPU s per million',
  'CPU ratio (min–max)',
  'rate ratio (min–max)'
]

/** As Markdown: medians of the rounds, ratios paired by round. */
export function table(results: readonly WorkloadResult[]): string {
  const rows = results.map(({ workload, rounds, ratios }) => {
    const [ours, theirs] = [rounds.map(round => round.millrace), rounds.map(round => round.bare)]
    return [
      workload.name,
      thousands(spread(ours.map(rate)).median),
      seconds(ours),
      known(
        ours.flatMap(({ peakMiB }) => peakMiB ?? []),
        peaks => String(spread(peaks).max)
      ),
      thousands(spread(theirs.map(rate)).median),
      seconds(theirs),
      ratios.cpu === undefined ? '–' : range(ratios.cpu),
      range(ratios.rate)
    ]
  })
  const lines = [columns, columns.map(() => '---'), ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const seconds = (runs: readonly Measured[]): string =>
  known(
    runs.flatMap(run => cpuPerMillion(run) ?? []),
    each => spread(each).median.toFixed(2)
  )
const known = (values: readonly number[], show: (values: readonly number[]) => string): string =>
  values.length === 0 ? '–' : show(values)
const thousands = (value: number): string => Math.round(value).toLocaleString('en')
const range = ({ median, min, max }: Spread): string => `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
