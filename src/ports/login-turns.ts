import type { LoginOutcome, LoginRefusal } from '../core/source/login-queue.ts'

/** Turns at showing credentials to a cluster: all who would show the same share them, whatever thread they are in. */
export interface LoginTurns {
  /**
   * Resolves when it is this asker's turn, when somebody was refused with the same, or when it is time to look at the credentials again.
   * @param key Names the credentials and the cluster, and gives nothing away.
   * @param toldMs `atMs` of the last refusal that the asker has heard of this key.
   */
  ask(key: string, toldMs: number | undefined): Promise<LoginTurn>
}

/** `end` must be called, whatever comes of the turn. It resolves with what a refusal is told as. */
export type LoginTurn =
  | { readonly kind: 'go'; readonly end: (outcome: LoginOutcome) => Promise<LoginRefusal | undefined> }
  | { readonly kind: 'refused'; readonly refusal: LoginRefusal }
  | { readonly kind: 'again' }
