import { Buffer } from 'node:buffer'

/** Secrets of a test that are known by their look wherever they turn up. */
export class MarkedSecrets {
  readonly #marked = new Map<string, string>()

  /** Makes one, of which `name` says where it was given. */
  make(name: string): string {
    return this.mark(name, `CANARY.${name}.${this.#marked.size}`)
  }

  /** Takes one that was made elsewhere. */
  mark(name: string, secret: string): string {
    this.#marked.set(name, secret)
    return secret
  }

  /** Marks a line in the middle of a PEM's body, as a PEM is never written whole in one line. */
  markPem(name: string, pem: string): string {
    const lines = pem.split('\n').filter(line => line !== '' && !line.startsWith('-----'))
    this.mark(name, lines[Math.floor(lines.length / 2)]!)
    return pem
  }

  /** Where each secret shows in what was written, plain or in a coding that anybody reads. */
  foundIn(outputs: ReadonlyMap<string, string>): string[] {
    return [...outputs].flatMap(([output, text]) =>
      [...this.#marked].flatMap(([name, secret]) =>
        codings(secret).some(coded => text.includes(coded)) ? [`${name} shows in ${output}`] : []
      )
    )
  }
}

const codings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  // From three positions, for what stands before it moves it.
  ...[0, 1, 2].map(shift => base64Middle(secret, shift))
]

/** The part of its base64 that does not depend on what stands beside it. */
function base64Middle(secret: string, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)]).toString('base64')
  return text.slice(4, Math.floor((shift + secret.length) / 3) * 4)
}
