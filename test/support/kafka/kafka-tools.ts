import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { javaArguments } from './java.ts'
import { kafkaJars } from './jars.ts'

export interface ToolOptions {
  /** Text for the tool's standard input, which is closed after it. */
  readonly stdin?: string
  /** The tool is killed after this long. Default 30,000. */
  readonly timeoutMs?: number
}

export interface ToolResult {
  /** Exit code; null when the tool was killed, as after `timeoutMs`. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one of Kafka's Java programs, say `org.apache.kafka.tools.TopicCommand`, to its end. A failure is a result. */
export type RunTool = (mainClass: string, args: readonly string[], options?: ToolOptions) => Promise<ToolResult>

export type KafkaTools =
  { readonly available: true; readonly run: RunTool } | { readonly available: false; readonly reason: string }

/** Kafka's own command-line tools, from the same jars as the broker: foreign clients that speak for the real thing. */
export async function kafkaTools(): Promise<KafkaTools> {
  const jars = await kafkaJars()
  if (!jars.available) return jars
  const { java, classPath } = jars
  return {
    available: true,
    run: (mainClass, args, options = {}) =>
      runTool(java, [...javaArguments(classPath, mainClass, 256), ...args], options)
  }
}

async function runTool(java: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const child = spawn(java, args, { timeout: options.timeoutMs ?? 30_000, killSignal: 'SIGKILL' })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  // A tool that ends before it has read everything closes the pipe: its exit code tells, not our EPIPE.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.stdin ?? '')
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}
