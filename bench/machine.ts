import { execFileSync } from 'node:child_process'
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'

/** Where and of what a benchmark was taken. */
export function machine(): Record<string, unknown> {
  return {
    at: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim(),
    load: loadavg().map(load => Number(load.toFixed(1))),
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / (1 << 20))
  }
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  } catch {
    return 'unknown'
  }
}
