/** One message for a destination, ready made by `core/destination/document`. */
export interface FailureMessage {
  /** JSON. */
  readonly body: Buffer
  /** S3: the object's key. */
  readonly objectKey?: string
  /** Kafka topic: the record's own key; null or absent: it has none. */
  readonly key?: Buffer | null
}

/** Takes what a mapping gives up (AWS: Kafka on-failure destinations). One per poller. */
export interface Destination {
  /**
   * Resolves when all of `messages` are durably there. Rejects with a DestinationRefusal or any other error when that is not
   * certain: the caller then delivers all of them again, so each is there at least once. Never drops anything by itself.
   * Several calls may be under way; an adapter may send them together. `signal` ends the wait: rejects.
   */
  deliver(messages: readonly FailureMessage[], signal: AbortSignal): Promise<void>
  /** Ends connections; deliveries under way reject. */
  close(): Promise<void>
}
