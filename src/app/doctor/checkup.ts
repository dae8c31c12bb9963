import type { Clock } from '../../ports/clock.ts'
import { explain } from './advice.ts'

export type StepResult = 'ok' | 'failed' | 'skipped'

/** One thing that was looked at. Nothing of a secret is in it. */
export interface StepReport {
  readonly step: string
  /** Whom or what it was about: a broker, a secret, a topic. */
  readonly about?: string
  readonly result: StepResult
  readonly ms: number
  readonly detail: string
  /** Of a failure: the one thing to do. */
  readonly advice?: string
}

/** What a step found. */
export interface Finding<T> {
  readonly detail: string
  readonly value: T
}

/** A step that found something that is not as it should be, and knows what to do about it. */
export class Complaint extends Error {
  readonly advice: string

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Complaint'
    this.advice = advice
  }
}

/** A step that turned out not to be possible, or not to be needed. */
export class NotDone extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'NotDone'
  }
}

export interface CheckupOptions {
  readonly clock: Clock
  /** No step takes longer. */
  readonly stepMs: number
  /** All of them together. */
  readonly totalMs: number
  /** The user has had enough: what runs ends. */
  readonly stop: AbortSignal
  /** Told what begins. */
  readonly began?: (step: string, about: string | undefined) => void
}

/**
 * Runs steps in bounded time: one that hangs fails when its time is up, whether or not it heeds its signal, and what is
 * left when all the time is up is not begun. No step rejects.
 */
export class Checkup {
  readonly #options: CheckupOptions
  readonly #beganMs: number
  readonly #lines: Line[] = []

  constructor(options: CheckupOptions) {
    this.#options = options
    this.#beganMs = options.clock.monotonicMs()
  }

  /** Steps that are reported in the order in which they were begun. Lines may run beside each other. */
  line(): Line {
    const line = new Line(this.#options, () => this.#options.totalMs - this.elapsedMs)
    this.#lines.push(line)
    return line
  }

  get elapsedMs(): number {
    return this.#options.clock.monotonicMs() - this.#beganMs
  }

  /** Line by line. */
  get reports(): readonly StepReport[] {
    return this.#lines.flatMap(line => line.reports)
  }
}

export class Line {
  readonly #options: CheckupOptions
  readonly #leftMs: () => number
  readonly #reports: (StepReport | undefined)[] = []

  constructor(options: CheckupOptions, leftMs: () => number) {
    this.#options = options
    this.#leftMs = leftMs
  }

  get reports(): readonly StepReport[] {
    return this.#reports.filter(report => report !== undefined)
  }

  /** Resolves with what the step found, or undefined when it failed or was not done. */
  async run<T>(
    step: string,
    about: string | undefined,
    work: (signal: AbortSignal) => Promise<Finding<T>>
  ): Promise<T | undefined> {
    const { clock, stepMs, stop, began } = this.#options
    const at = this.#reports.push(undefined) - 1
    const beganMs = clock.monotonicMs()
    const limitMs = Math.min(stepMs, this.#leftMs())
    const report = (result: StepResult, detail: string, advice?: string) => {
      this.#reports[at] = {
        step,
        ...(about === undefined ? {} : { about }),
        result,
        ms: Math.round(clock.monotonicMs() - beganMs),
        detail: oneLine(detail),
        ...(advice === undefined ? {} : { advice })
      }
    }
    if (stop.aborted || limitMs <= 0) {
      report('skipped', 'there was no time left for it')
      return undefined
    }
    began?.(step, about)
    const ending = new AbortController()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const cancel = clock.after(limitMs, () => {
      ending.abort(new Error('the step took too long'))
      reject(new TookTooLong(limitMs))
    })
    try {
      const { detail, value } = await Promise.race([work(AbortSignal.any([stop, ending.signal])), late])
      report('ok', detail)
      return value
    } catch (error) {
      if (error instanceof NotDone) report('skipped', error.message)
      else if (error instanceof Complaint) report('failed', error.message, error.advice)
      else if (error instanceof TookTooLong) report('failed', error.message, hungAdvice)
      else {
        const { detail, advice } = explain(error)
        report('failed', detail, advice)
      }
      return undefined
    } finally {
      cancel()
    }
  }

  /** Says that something was not looked at, and why. */
  skip(step: string, about: string | undefined, why: string): void {
    this.#reports.push({ step, ...(about === undefined ? {} : { about }), result: 'skipped', ms: 0, detail: why })
  }
}

const hungAdvice = 'See what lies on the way: firewalls and security groups drop packets without a word.'

/** A step that hung. */
export class TookTooLong extends Error {
  constructor(limitMs: number) {
    super(`no answer within ${Math.round(limitMs)} ms`)
    this.name = 'TookTooLong'
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 1000)
