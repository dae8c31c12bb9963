import { createServer } from 'node:net'

// Below the ports that systems hand out to outgoing connections (from 32768 on Linux, 49152 elsewhere): a broker that was
// killed must find its port free when it starts again, and a client that dials it meanwhile must not meet itself there.
const lowest = 15_000
const highest = 32_000

/** Ports on 127.0.0.1 that nobody listens on now. Chosen by chance, so that two test processes seldom choose the same. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
