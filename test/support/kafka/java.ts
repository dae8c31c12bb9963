import { join } from 'node:path'

export interface JavaWish {
  readonly fullCompiler?: boolean | undefined
  /** Of issuers that brokers may ask for keys. */
  readonly tokenUrls?: readonly string[]
}

/**
 * Arguments for a Java program of Kafka's jars: small heap, and unless it is asked for no second compiler: a broker starts twice as fast
 * without, but does a twentieth over TLS.
 */
export function javaArguments(
  classPath: string,
  mainClass: string,
  maxHeapMiB: number,
  { fullCompiler = false, tokenUrls = [] }: JavaWish = {}
): string[] {
  return [
    `-Xmx${maxHeapMiB}m`,
    '-XX:+UseSerialGC',
    ...(fullCompiler ? [] : ['-XX:TieredStopAtLevel=1']),
    '-Djava.net.preferIPv4Stack=true',
    ...(tokenUrls.length === 0 ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${tokenUrls.join()}`]),
    `-Dlog4j2.configurationFile=file:${join(import.meta.dirname, 'log4j2.properties')}`,
    '-cp',
    classPath,
    mainClass
  ]
}
