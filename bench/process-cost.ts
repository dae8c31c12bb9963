import { readFileSync } from 'node:fs'

/** Of Linux on every machine that Node runs on. */
const ticksPerSecond = 100

/** What a process, all its threads included, has used so far. */
export interface Cost {
  readonly userSeconds: number
  readonly systemSeconds: number
  /** Pages of memory that were touched for the first time, or again after they had been given back. */
  readonly pageFaults: number
}

/** To 10 ms. Undefined where the system has no `/proc` (only Linux has), or the process has ended. */
export function costOf(pid: number): Cost | undefined {
  const stat = read(pid, 'stat')
  if (stat === undefined) return undefined
  // The second field is the program's name in brackets, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [pageFaults, user, system] = [Number(fields[7]), Number(fields[11]), Number(fields[12])]
  return { userSeconds: user / ticksPerSecond, systemSeconds: system / ticksPerSecond, pageFaults }
}

export const difference = (from: Cost, to: Cost): Cost => ({
  userSeconds: to.userSeconds - from.userSeconds,
  systemSeconds: to.systemSeconds - from.systemSeconds,
  pageFaults: to.pageFaults - from.pageFaults
})

export const cpuSeconds = ({ userSeconds, systemSeconds }: Cost): number => userSeconds + systemSeconds

/** The most memory it has held, in MiB. */
export const peakMiB = (pid: number): number | undefined => memoryMiB(pid, /^VmHWM:\s+(\d+) kB$/m)

/** The memory it holds now, in MiB. */
export const residentMiB = (pid: number): number | undefined => memoryMiB(pid, /^VmRSS:\s+(\d+) kB$/m)

function memoryMiB(pid: number, line: RegExp): number | undefined {
  const found = line.exec(read(pid, 'status') ?? '')
  return found === null ? undefined : Math.round(Number(found[1]) / 1024)
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return undefined
  }
}
