import { awsProblem } from '../../adapters/destination/aws-problem.ts'
import { probeDestination } from '../../adapters/destination/destination-probe.ts'
import { targetText, type DestinationTarget } from '../../core/destination/target.ts'
import type { MappingCredentials } from '../../ports/aws-credentials.ts'
import type { Config } from '../config.ts'
import { Complaint, NotDone, type Line } from './checkup.ts'

export interface DestinationExaminationDeps {
  readonly config: Pick<Config, 'region' | 'destinationDir'>
  readonly aws: MappingCredentials
}

/** Whether what is given up could be delivered. Nothing is. A topic is examined with its cluster. */
export async function examineDestination(
  destination: DestinationTarget | undefined,
  { config: { region, destinationDir }, aws }: DestinationExaminationDeps,
  line: Line
): Promise<void> {
  if (destination?.kind === 'kafka') return
  if (destination === undefined)
    return line.skip('destination', undefined, 'none was named: what is given up is dropped')
  const name = targetText(destination)
  await line.run('destination', name, async signal => {
    const state = await probeDestination(destination, { aws, region, destinationDir, signal }).catch((error: Error) => {
      const isFile = destination.kind === 'file'
      throw new Complaint(
        isFile ? error.message : awsProblem(name, error).message.replace(' took nothing:', ':'),
        isFile
          ? 'Let this user write there, or name another folder as destinationDir.'
          : 'Make the destination, or give the credentials of Millrace the right: "millrace policy function UUID" names it.'
      )
    })
    if (state.kind === 'uncertain') throw new NotDone(state.text)
    return { detail: state.text, value: undefined }
  })
}
