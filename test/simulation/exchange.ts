import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { SimParts } from './sim-process.ts'

/** Exchanges a method of a class for as long as a run takes. */
export function exchange<T extends object, K extends keyof T & string>(
  prototype: T,
  method: K,
  make: (original: T[K]) => T[K]
): () => void {
  const original = prototype[method]
  prototype[method] = make(original)
  return () => {
    prototype[method] = original
  }
}

/** The same of what a class answers as a property. */
export function exchangeGetter<T extends object, K extends keyof T & string>(
  prototype: T,
  property: K,
  make: (original: (this: T) => T[K]) => (this: T) => T[K]
): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, property)!
  const get = original.get as (this: T) => T[K]
  Object.defineProperty(prototype, property, { ...original, get: make(get) })
  return () => {
    Object.defineProperty(prototype, property, original)
  }
}

/** The poller hears another reply than the function gave. */
export const mishearing = (hears: (reply: InvokeReply) => InvokeReply) => (parts: SimParts) => {
  const { invoker } = parts
  parts.invoker = {
    invoke: async (event, request) => hears(await invoker.invoke(event, request)),
    close: () => invoker.close()
  }
}

export const returned: InvokeReply = { kind: 'returned', payload: new Uint8Array() }
