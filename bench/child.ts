import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const patienceMs = 30_000

/** The product, unbuilt. */
const program = fileURLToPath(import.meta.resolve('../src/app/main.ts'))
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the product, whose errors are ours. It ends with us, unless we are killed. */
export function spawnProgram(args: readonly string[], nodeArgs: readonly string[] = []): ChildProcess {
  const child = spawn(process.execPath, [...nodeArgs, program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** What a program that serves says first on stdout. Rejects when it ends or stays silent for 30 s. */
export function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! })
  return heard(child, patienceMs, tell => {
    lines.on('line', tell)
    return () => lines.off('line', tell)
  })
}

/** Starts a module of this folder as a process that ends with us. */
export const forkHere = (module: string): ChildProcess =>
  fork(fileURLToPath(import.meta.resolve(`./${module}`)), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

/** The next message; one process says one thing at a time here. Rejects when it ends first or `withinMs` pass. */
export function nextMessage<T>(child: ChildProcess, withinMs = patienceMs): Promise<T> {
  return heard(child, withinMs, tell => {
    child.on('message', tell)
    return () => child.off('message', tell)
  })
}

/** Kills, or asks to end and kills after 30 s; then it has ended. Safe when it had already. */
export async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  await ended
  clearTimeout(timer)
}

function heard<T>(child: ChildProcess, withinMs: number, listen: (tell: (said: T) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      child.off('exit', ended)
      deafen()
    }
    const ended = (code: number | null) => {
      done()
      reject(new Error(`process ${child.pid} ended with ${code}`))
    }
    const timer = setTimeout(() => {
      done()
      reject(new Error(`process ${child.pid} said nothing within ${withinMs} ms`))
    }, withinMs)
    child.on('exit', ended)
    const deafen = listen(said => {
      done()
      resolve(said)
    })
  })
}
