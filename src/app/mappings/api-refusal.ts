/** What a server answered to a request of ours that it did not carry out. */
export class ApiRefusal extends Error {
  /** HTTP status. */
  readonly status: number
  /** Millrace's own code, which docs/errors.md explains; undefined when another server answered. */
  readonly code: string | undefined

  /** `exception` is AWS's name of it, such as `ResourceNotFoundException`. */
  constructor(exception: string, message: string, status: number, code: string | undefined, options?: ErrorOptions) {
    super(`${exception}: ${message}`, options)
    this.name = 'ApiRefusal'
    this.status = status
    this.code = code
  }
}
