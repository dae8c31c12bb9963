import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { MappingsApi, type Mapping } from './mappings/api.ts'
import type { Format, MappingsFlags } from './mappings/flags.ts'
import { formatOf, historyText, listText, mappingText } from './mappings/present.ts'
import { settle } from './mappings/settle.ts'
import { Watch } from './mappings/watch.ts'
import { interruptedBy } from './signals.ts'

/** Carries out one `millrace mappings …` over the API and resolves with the exit code. */
export async function runMappings(flags: MappingsFlags, io: Io): Promise<number> {
  try {
    using api = await MappingsApi.open(flags.connection, io)
    return await perform(flags, api, io)
  } catch (error) {
    // Whatever broke off was broken off by the user.
    if (io.stop.aborted) return interruptedBy(io.stop)
    throw error
  }
}

async function perform({ action, output }: MappingsFlags, api: MappingsApi, io: Io): Promise<number> {
  const format = formatOf(output, io)
  switch (action.kind) {
    case 'list':
      io.stdout.write(listText(await Array.fromAsync(api.list(action.filter)), format, io))
      return exitCodes.ok
    case 'get':
      return show(await api.get(action.uuid), format, io)
    case 'create':
      return changed(await api.create(action.input), action.wait, format, api, io)
    case 'update':
      return changed(await api.update(action.input), action.wait, format, api, io)
    case 'delete':
      return changed(await api.delete(action.uuid), action.wait, format, api, io)
    case 'history':
      io.stdout.write(historyText(await Array.fromAsync(api.history(action.uuid)), format, io))
      return exitCodes.ok
    case 'watch':
      return new Watch(api, action.uuid, output, io).run()
    default:
      throw new Error(`unknown action ${JSON.stringify(action satisfies never)}`)
  }
}

/** Shows what the server answered; with `--wait` what became of it, where there is something left to show. */
async function changed(answered: Mapping, wait: boolean, format: Format, api: MappingsApi, io: Io): Promise<number> {
  const mapping = wait ? ((await settle(api, answered.UUID ?? '', io.stop)) ?? answered) : answered
  return show(mapping, format, io)
}

function show(mapping: Mapping, format: Format, io: Io): number {
  io.stdout.write(mappingText(mapping, format, io))
  return exitCodes.ok
}
