import { join } from 'node:path'

/**
 * Arguments for a Java program of Kafka's jars: small heap, no second compiler (a broker starts twice as fast; throughput
 * over TLS suffers, so leave nothing that measures it here).
 */
export function javaArguments(classPath: string, mainClass: string, maxHeapMiB: number): string[] {
  return [
    `-Xmx${maxHeapMiB}m`,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.net.preferIPv4Stack=true',
    `-Dlog4j2.configurationFile=file:${join(import.meta.dirname, 'log4j2.properties')}`,
    '-cp',
    classPath,
    mainClass
  ]
}
