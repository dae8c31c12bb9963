/**
 * The client's side of a SASL mechanism: yields what to send, is resumed with what the broker answered, and ends when it
 * is content with the last answer. Throws SaslRefusal when the broker proves not to be what it should be.
 */
export type SaslDialogue = AsyncGenerator<Buffer, void, Buffer>

/** The broker's part of the conversation is wrong, or says no in the mechanism's own words. */
export class SaslRefusal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SaslRefusal'
  }
}
