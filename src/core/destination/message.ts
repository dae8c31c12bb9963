/** One message for a destination, ready made by `failureMessages`. */
export interface FailureMessage {
  /** JSON, on one line. */
  readonly body: Buffer
  /** S3: the object's key. */
  readonly objectKey?: string
  /** Kafka topic: the record's own key; null or absent: it has none. */
  readonly key?: Buffer | null
}
