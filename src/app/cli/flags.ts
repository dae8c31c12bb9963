import { InvalidArgumentError, Option } from 'commander'

export type Output = 'text' | 'json'

/** `--output`, the same in every command. */
export const outputOption = (doc: string): Option =>
  new Option('--output <format>', doc).choices(['text', 'json']).default('text')

/** Reads a whole number between two limits; commander names the flag in front of our sentence. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}
