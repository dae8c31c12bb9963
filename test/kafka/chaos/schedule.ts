import { chanceOf } from '../../e2e/crash/crash-plan.ts'

/** What befalls the world. Nodes are processes of Millrace; they and brokers are numbered from 1. */
export type ChaosEvent =
  /** A process starts, or starts again on its data. */
  | { readonly kind: 'join'; readonly node: number }
  /** SIGTERM; it ends with code 0. */
  | { readonly kind: 'leave'; readonly node: number }
  /** SIGKILL; when the others have taken over, it starts again. */
  | { readonly kind: 'kill'; readonly node: number }
  /** SIGSTOP until its session has ended and the others have taken over, then SIGCONT. */
  | { readonly kind: 'freeze'; readonly node: number }
  /** SIGTERM or SIGKILL; when all goes on without it, it starts again. */
  | { readonly kind: 'stop-broker' | 'kill-broker'; readonly broker: number }
  | { readonly kind: 'add-partitions'; readonly total: number }
  /** Every partition of the topic, or the one that makes a broker the group's coordinator, gets another leader. */
  | { readonly kind: 'move-leaders' }
  | { readonly kind: 'move-coordinator' }
  /** Kafka's console consumer becomes a member of the group, reads some, and leaves it. */
  | { readonly kind: 'foreign-joins' }
  | { readonly kind: 'foreign-leaves' }

type Step = readonly ChaosEvent[]

/** One run: the events of a step befall at once, and all goes well again before the next step. */
export interface Schedule {
  readonly seed: number
  readonly protocol: 'classic' | 'consumer'
  /** Some records are written in transactions, of which some are aborted. */
  readonly transactions: boolean
  readonly nodes: number
  readonly partitions: number
  readonly steps: readonly Step[]
}

export interface ScheduleOptions {
  readonly protocol: Schedule['protocol']
  readonly transactions?: boolean
  /** How many brokers are lost, one after another. */
  readonly losses?: number
}

const nodes = 3
const partitions = 6

/** Every kind of event once at least (fewer with fewer losses of brokers); who, in which order, in whose company: by chance. */
export function drawSchedule(seed: number, options: ScheduleOptions): Schedule {
  const { protocol, transactions = false, losses = 3 } = options
  const chance = chanceOf(seed)
  const shuffled = <T>(items: readonly T[]): T[] =>
    items
      .map(item => [chance(), item] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, item]) => item)
  const [left, killed, frozen] = shuffled([1, 2, 3]) as [number, number, number]
  const ways = shuffled(['kill-broker', 'stop-broker'] as const)
  const kinds = [...ways, ways[chance() < 0.5 ? 0 : 1]!]
  const company: ChaosEvent[] = [
    { kind: 'leave', node: left },
    { kind: 'join', node: left }
  ]
  const brokers = shuffled([1, 2, 3]).map((broker, at): Step => {
    const beside = company[at]
    const loss: ChaosEvent = { kind: kinds[at]!, broker }
    return [...(at < losses ? [loss] : []), ...(beside === undefined ? [] : [beside])]
  })
  // Both at once: each takes a whole session, and a record that comes twice tells by its first caller which of them it was.
  const dead: Step = [
    { kind: 'kill', node: killed },
    { kind: 'freeze', node: frozen }
  ]
  const [between, ...rest] = shuffled<Step>([dead, [{ kind: 'move-leaders' }], [{ kind: 'move-coordinator' }]])
  // Not while brokers are lost: what becomes of its own commits then is not ours to promise.
  const foreign: Step[] = [[{ kind: 'foreign-joins' }], between!, [{ kind: 'foreign-leaves' }]]
  const blocks = shuffled<readonly Step[]>([
    foreign,
    ...rest.map(step => [step]),
    brokers.filter(step => step.length > 0)
  ])
  // First, as the leader of a classic group looks for new partitions twice a minute.
  const steps: Step[] = [[{ kind: 'add-partitions', total: partitions + 2 }], ...blocks.flat()]
  return { seed, protocol, transactions, nodes, partitions, steps }
}

export const describeEvent = ({ kind, ...rest }: ChaosEvent): string => [kind, ...Object.values(rest)].join(' ')
