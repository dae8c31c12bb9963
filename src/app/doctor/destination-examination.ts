import { awsProblem } from '../../adapters/destination/aws-problem.ts'
import { probeDestination } from '../../adapters/destination/destination-probe.ts'
import { targetText, type DestinationTarget } from '../../core/destination/target.ts'
import type { Config } from '../config.ts'
import { Complaint, NotDone, type Line } from './checkup.ts'

/** Whether what is given up could be delivered. Nothing is. A topic is examined with its cluster. */
export async function examineDestination(
  destination: DestinationTarget | undefined,
  { region, destinationDir }: Pick<Config, 'region' | 'destinationDir'>,
  line: Line
): Promise<void> {
  if (destination?.kind === 'kafka') return
  if (destination === undefined)
    return line.skip('destination', undefined, 'none was named: what is given up is dropped')
  const name = targetText(destination)
  await line.run('destination', name, async signal => {
    const state = await probeDestination(destination, { region, destinationDir, signal }).catch((error: Error) => {
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
