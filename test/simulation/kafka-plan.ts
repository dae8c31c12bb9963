import type { Chance } from './chance.ts'
import type { Fault, FaultKind, Plan } from './plan.ts'
import type { TransactionSettings } from './producers.ts'

export interface GroupPlan {
  readonly protocol: 'classic' | 'consumer'
  /** Members try the protocol `consumer` first. */
  readonly negotiates: boolean
  /** Of the protocol `consumer`: what the coordinator asks for, and how long it gathers changes. */
  readonly heartbeatIntervalMs: number
  readonly assignmentDelayMs: number
  /** How long it waits for what is to be given up; 0: as long as members ask for, who then are never late. */
  readonly patienceMs: number
  /** What members of that protocol take the session for, which is the coordinator's affair. */
  readonly believedSessionMs: number
}

/** Of plans that say nothing of their group. */
export const classicGroup: GroupPlan = {
  protocol: 'classic',
  negotiates: false,
  heartbeatIntervalMs: 2_000,
  assignmentDelayMs: 0,
  patienceMs: 0,
  believedSessionMs: 6_000
}

/** What Kafka does beside faults: which protocol the group speaks, transactions, and moves of its coordinator. */
export function withKafka(plan: Plan, chance: Chance): Plan {
  const protocol = chance.happens(0.4) ? 'consumer' : 'classic'
  const group: GroupPlan = {
    protocol,
    heartbeatIntervalMs: chance.pick([500, 1_000, 2_000]),
    assignmentDelayMs: chance.pick([0, 0, 500, 2_000]),
    patienceMs: chance.happens(0.2) ? 1_500 : 0,
    negotiates: chance.happens(0.5),
    believedSessionMs: chance.pick([plan.sessionTimeoutMs, plan.sessionTimeoutMs, 6_000, 20_000])
  }
  const transactions = chance.happens(0.4) ? drawTransactions(chance) : undefined
  const moves = chance.happens(0.25) ? faultsOf(chance, plan, ['move-coordinator'], 3) : []
  // Partitions that move often, so that members are in the middle of it when something else happens.
  const unrest =
    protocol === 'consumer' && chance.happens(0.3)
      ? faultsOf(chance, plan, ['shuffle', 'rebalance', 'expel', 'join'], 4)
      : []
  // Records that are far apart for a reason of their own stay as they are.
  const isSparse = plan.appendsAtMost > 1_000
  return {
    ...plan,
    group,
    // In a longer one members are sent away for what they do not give up.
    sessionTimeoutMs: protocol === 'consumer' && chance.happens(0.3) ? 30_000 : plan.sessionTimeoutMs,
    ...(transactions === undefined || isSparse ? {} : { transactions }),
    faults: [...plan.faults, ...moves, ...unrest]
  }
}

function drawTransactions(chance: Chance): TransactionSettings {
  return {
    share: chance.pick([0.3, 0.7, 1]),
    producers: chance.between(1, 3),
    openMs: chance.pick([50, 1_000, 5_000]),
    abortRate: chance.pick([0.1, 0.5])
  }
}

const faultsOf = (chance: Chance, { runMs }: Plan, kinds: readonly FaultKind[], most: number): Fault[] =>
  Array.from({ length: chance.between(1, most) }, () => ({
    kind: chance.pick(kinds),
    atMs: chance.int(runMs),
    forMs: chance.int(chance.pick([300, 3_000, 12_000])),
    on: chance.int(8),
    share: chance.next()
  }))
