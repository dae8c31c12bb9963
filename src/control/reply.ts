/** What goes back to the caller. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Absent: an empty body. */
  readonly body?: { readonly json: unknown } | { readonly bytes: Uint8Array }
}

export const json = (status: number, value: object): Reply => ({ status, body: { json: value } })
