/** A value of this size makes an event larger than a function takes. */
export const oversizeBytes = 4_800_000
