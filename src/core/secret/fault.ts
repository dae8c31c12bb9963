/**
 * What is wrong with what a secret holds, said without any of it. `part` tells whose error it becomes: the credentials that a
 * broker would refuse, or a certificate or key that nothing can be done with.
 */
export class SecretFault extends Error {
  readonly part: 'login' | 'certificate'

  constructor(part: SecretFault['part'], message: string) {
    super(message)
    this.name = 'SecretFault'
    this.part = part
  }
}
