import { CallChecks } from './call-checks.ts'
import { CommitChecks } from './commit-checks.ts'
import { FailureChecks } from './failure-checks.ts'
import { OwnershipChecks } from './ownership-checks.ts'
import type { Scene } from './scene.ts'

/**
 * Holds what the pollers do against what they promise. Each failure begins with the number of the invariant: I1 no commit
 * ahead, I2 no loss, I3 drain, I4 order, I5 no skip, I6 integrity, I7 no phantom, I8 duplicates only where an event explains
 * them, I9 fencing, I10 tries and ages are exact, I11 what is given up is told once and for its reason, I12 halves in order,
 * I13 limits, I15 no starvation, I16 commits never go back, I20 memory; and `calm`: a revocation or a stop takes no longer
 * than what it waits for, who can be heard is, and every partition has an owner once all has healed.
 */
export class Checker {
  readonly scene: Scene
  readonly ownership: OwnershipChecks
  readonly calls: CallChecks
  readonly failures: FailureChecks
  readonly commits: CommitChecks

  constructor(scene: Scene) {
    this.scene = scene
    this.ownership = new OwnershipChecks(scene)
    this.calls = new CallChecks(scene)
    this.failures = new FailureChecks(scene, this.calls)
    this.commits = new CommitChecks(scene)
  }

  fail(message: string): void {
    this.scene.fail(message)
  }

  note(who: string, what: string, ...numbers: readonly number[]): void {
    this.scene.trace.note(who, what, ...numbers)
  }
}
