import { loadConfig } from '../config.ts'
import { printConfig } from '../config/print.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import type { ServeFlags } from './serve.ts'

/** Reads the configuration, then prints it or serves by it. */
export async function runServeCommand(flags: ServeFlags, io: Io): Promise<number> {
  const { configFile, options, printConfig: printing, output } = flags
  const loaded = await loadConfig({ cwd: io.cwd, env: io.env, flags: options, configFile })
  for (const warning of loaded.warnings) io.stderr.write(`millrace: ${warning}\n`)
  if (loaded.mappings.length > 0)
    io.stderr.write(
      `millrace: The mappings of ${loaded.file} are for "millrace dev": serve runs those that the API has made.\n`
    )
  if (printing) {
    io.stdout.write(await printConfig(loaded, output))
    return exitCodes.ok
  }
  const { runServe } = await import('../serve.ts')
  return runServe(loaded.config, io)
}
