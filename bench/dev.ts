// How soon `millrace dev` calls a function: from the command line to the broker, and from there to the first call, with the
// steps between. --program: of another checkout.
//   node bench/dev.ts [--rounds 5] [--program src/app/main.ts]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { machine } from './machine.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, program: { type: 'string', default: 'src/app/main.ts' } }
})
const program = resolve(values.program)

const template = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: nodejs22.x
      Events:
        Kafka:
          Type: SelfManagedKafka
          Properties: { KafkaBootstrapServers: [kafka.shop:9092], Topics: [orders] }
`
const ways = {
  'a handler, window 0': ['--handler', './app.handler', '--topic', 'orders'],
  'a template, window 500 ms': ['template.yaml']
}
/** In the order in which they come. */
const steps = ['function-ready', 'assigned', 'seeded', 'call-started', 'function-called'] as const

/** Milliseconds: of the broker since the command line, of steps since the broker. */
async function run(folder: string, args: readonly string[]): Promise<Map<string, number>> {
  const beganMs = Date.now()
  const env = { ...process.env, MILLRACE_LISTEN: '127.0.0.1:0', MILLRACE_ADMIN_LISTEN: '127.0.0.1:0' }
  const all = [program, 'dev', ...args, '--seed', 'records.jsonl', '--once', '--output', 'json']
  const child = spawn(process.execPath, all, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new Error(`dev ended with ${code}`)
  const events = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { kind: string; time: string })
  const at = (kind: string) => Date.parse(events.find(event => event.kind === kind)?.time ?? '')
  const upMs = at('broker')
  return new Map([['broker', upMs - beganMs], ...steps.map(step => [step, at(step) - upMs] as const)])
}

const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-dev-'))
try {
  await writeFile(join(folder, 'template.yaml'), template)
  await writeFile(join(folder, 'app.mjs'), 'export const handler = async () => {}\n')
  await writeFile(join(folder, 'records.jsonl'), '{"topic":"orders","value":"1"}\n')
  console.log(JSON.stringify(machine()))
  for (const [way, args] of Object.entries(ways)) {
    await run(folder, args) // what the disk has to read is read
    const runs: Map<string, number>[] = []
    for (let round = 0; round < Number(values.rounds); round++) runs.push(await run(folder, args))
    console.log(`\n${way}: ms, median of ${runs.length} (least to most)`)
    for (const step of ['broker', ...steps]) {
      const sorted = runs.map(each => each.get(step) ?? NaN).toSorted((a, b) => a - b)
      const from = step === 'broker' ? 'since the command' : 'since the broker'
      console.log(`  ${step.padEnd(16)} ${sorted[sorted.length >> 1]} (${sorted[0]} to ${sorted.at(-1)}) ${from}`)
    }
  }
} finally {
  await rm(folder, { recursive: true })
}
