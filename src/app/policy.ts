import { executionRolePolicy } from '../core/policy/execution-role.ts'
import { kafkaPolicy } from '../core/policy/kafka-acls.ts'
import { networkPolicy } from '../core/policy/network.ts'
import { endpointPolicy } from '../core/policy/vpc-endpoints.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { MappingsApi } from './mappings/api.ts'
import type { PolicyFlags } from './policy/flags.ts'
import { endpointsText, functionText, kafkaText, networkText } from './policy/present.ts'
import type { PolicyText } from './policy/present.ts'
import { subjectOf } from './policy/subject.ts'
import { interruptedBy } from './signals.ts'

/** Writes the rights that a mapping needs, and resolves with the exit code. */
export async function runPolicy(flags: PolicyFlags, io: Io): Promise<number> {
  try {
    using api = await MappingsApi.open(flags.connection, io)
    const { data, notes, value } = policyOf(flags, subjectOf(await api.get(flags.uuid)))
    if (flags.output === 'json') {
      io.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
      return exitCodes.ok
    }
    io.stdout.write(data)
    for (const note of notes) io.stderr.write(`millrace: ${note}\n`)
    return exitCodes.ok
  } catch (error) {
    if (io.stop.aborted) return interruptedBy(io.stop)
    throw error
  }
}

function policyOf({ kind, principal }: PolicyFlags, subject: ReturnType<typeof subjectOf>): PolicyText {
  switch (kind) {
    case 'kafka':
      return kafkaText(kafkaPolicy(subject, principal))
    case 'function':
      return functionText(executionRolePolicy(subject))
    case 'network':
      return networkText(networkPolicy(subject))
    case 'vpc-endpoints':
      return endpointsText(endpointPolicy(subject))
    default:
      throw new Error(`no policy of ${kind satisfies never}`)
  }
}
