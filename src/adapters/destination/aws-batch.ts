import type { FailureMessage } from '../../ports/destination.ts'
import { awsProblem, problemKind } from './aws-problem.ts'

/** What SQS and SNS answer to a batch. Ids are the messages' places in it. */
export interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | undefined
  readonly Failed?: readonly { readonly Id?: string | undefined; readonly Code?: string | undefined }[] | undefined
}

/** One message may be the reason why AWS refuses the whole batch. */
const refusals = new Set(['BatchRequestTooLong', 'InvalidParameter', 'InvalidParameterValue', 'InvalidMessageContents'])

/** Sends a batch; when it is refused as a whole, each message by itself, so that a bad one fails alone. */
export async function sendBatch(
  name: string,
  messages: readonly FailureMessage[],
  send: (messages: readonly FailureMessage[]) => Promise<BatchAnswer>
): Promise<readonly (Error | undefined)[]> {
  try {
    return answersOf(name, messages.length, await send(messages))
  } catch (error) {
    if (messages.length === 1 || !refusals.has(problemKind(error))) throw awsProblem(name, error)
  }
  const answers: (Error | undefined)[] = []
  for (const message of messages) {
    const alone = await sendBatch(name, [message], send).catch((error: unknown) => [error as Error])
    answers.push(...alone)
  }
  return answers
}

function answersOf(name: string, count: number, { Successful = [], Failed = [] }: BatchAnswer): (Error | undefined)[] {
  const taken = new Set(Successful.map(({ Id }) => Id))
  const codes = new Map(Failed.map(({ Id, Code }) => [Id, Code]))
  return Array.from({ length: count }, (_, at) => {
    const id = String(at)
    if (taken.has(id)) return undefined
    return awsProblem(name, Object.assign(new Error(), { name: codes.get(id) ?? 'no answer for a message' }))
  })
}
