import { join } from 'node:path'

/**
 * Arguments for a Java program of Kafka's jars: small heap, and unless it is asked for no second compiler: a broker starts twice as fast
 * without, but does a twentieth over TLS.
 */
export function javaArguments(
  classPath: string,
  mainClass: string,
  maxHeapMiB: number,
  fullCompiler = false
): string[] {
  return [
    `-Xmx${maxHeapMiB}m`,
    '-XX:+UseSerialGC',
    ...(fullCompiler ? [] : ['-XX:TieredStopAtLevel=1']),
    '-Djava.net.preferIPv4Stack=true',
    `-Dlog4j2.configurationFile=file:${join(import.meta.dirname, 'log4j2.properties')}`,
    '-cp',
    classPath,
    mainClass
  ]
}
