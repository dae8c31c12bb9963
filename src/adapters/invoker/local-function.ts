/** A function that runs on this machine, in processes of Millrace. */
export interface LocalFunction {
  readonly name: string
  /** `path/to/file.export` of a module, relative to `baseDir`. Beside a `command` any text, for the runtime to read. */
  readonly handler?: string
  /** What runs the handler; absent: what the handler's file asks for, in doubt Node. */
  readonly runtime?: 'node' | 'python'
  /** A custom runtime instead: program and arguments; a relative path is looked up in `baseDir`. */
  readonly command?: readonly string[]
  /** Absolute; the processes' working directory, and their LAMBDA_TASK_ROOT. */
  readonly baseDir: string
  /** New calls go to new processes when a file changed. Absent: as the host says. */
  readonly reload?: boolean
  /** Absolute: the folder whose files count as the function's. Default: that of the handler or program. */
  readonly sourceDir?: string
  /** Default 3, as Lambda's. */
  readonly timeoutSeconds?: number
  /** Most processes at a time, each running one call. Default 1. */
  readonly concurrency?: number
  /** Added to the processes' environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** Told to the function, not a limit. Default 128, as Lambda's. */
  readonly memoryMiB?: number
}

export interface LocalFunctionHome {
  readonly region: string
  /** Of the function, without qualifier. */
  readonly arn: string
}

/** Only these of our own environment are handed on: no credential of Millrace reaches a function. */
const inherited = /^(?:PATH|HOME|LANG|LC_\w+|TMPDIR|TEMP|TMP|SystemRoot|AWS_ENDPOINT_URL(?:_\w+)?)$/

/** The environment Lambda gives a function, on a scrubbed base. `runtimeApi` is `host:port`. */
export function environmentOf(
  fn: LocalFunction,
  { region }: LocalFunctionHome,
  { runtimeApi, instance, base }: { runtimeApi: string; instance: string; base: NodeJS.ProcessEnv }
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(base)) {
    if (value !== undefined && inherited.test(name)) environment[name] = value
  }
  return {
    ...environment,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    // Lambda's clocks show UTC: a function must not depend on where it was tried.
    TZ: ':UTC',
    ...fn.environment,
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMiB ?? 128),
    // Not Lambda's own, but its emulators': in seconds.
    AWS_LAMBDA_FUNCTION_TIMEOUT: String(fn.timeoutSeconds ?? 3),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: instance,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    LAMBDA_TASK_ROOT: fn.baseDir,
    _HANDLER: fn.handler ?? 'bootstrap'
  }
}

/** How Lambda words what befell a runtime. */
export interface RuntimeFault {
  readonly errorType: string
  readonly errorMessage: string
}

/** The process ended: by itself with `code`, or by `signal`. */
export function exitFault(requestId: string, code: number | null, signal: NodeJS.Signals | null): RuntimeFault {
  const how =
    signal !== null
      ? `Runtime exited with error: signal: ${signalTexts[signal] ?? signal}`
      : code === 0
        ? 'Runtime exited without providing a reason'
        : `Runtime exited with error: exit status ${code}`
  return { errorType: 'Runtime.ExitError', errorMessage: `RequestId: ${requestId} Error: ${how}` }
}

export function timeoutFault(requestId: string, timeoutMs: number): RuntimeFault {
  const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1_000).toFixed(2)} seconds`
  return { errorType: 'Sandbox.Timedout', errorMessage }
}

const signalTexts: Partial<Record<NodeJS.Signals, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted'
}
