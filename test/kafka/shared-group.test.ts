import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { consumersOn, numbered, owns, sorted, until } from './consumers.ts'

/** librdkafka's command-line client, where the machine has it; in CI it must. */
const hasKcat = spawnSync('kcat', ['-V']).status === 0

function skipWithoutKcat(t: TestContext): void {
  assert.notEqual(process.env['CI'], 'true', 'kcat is not on the PATH; Debian has it as kcat')
  t.skip('kcat is not on the PATH; Debian has it as kcat')
}

/** Reads `count` records as a member of the topic's group, then leaves. */
async function kcatInGroup(
  bootstrap: string,
  topic: string,
  count: number
): Promise<{ stdout: string; stderr: string }> {
  const settings = ['partition.assignment.strategy=cooperative-sticky', 'auto.offset.reset=earliest']
  const child = spawn(
    'kcat',
    [
      '-b',
      bootstrap,
      '-u',
      '-c',
      String(count),
      ...settings.flatMap(each => ['-X', each]),
      '-G',
      `${topic}-readers`,
      topic
    ],
    { timeout: 60_000, killSignal: 'SIGKILL' }
  )
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { stdout, stderr }
}

await kafkaSuite('a classic group of ours and others', runTool => {
  const kafka = kafkaForSuite({ serverProperties: { 'group.min.session.timeout.ms': '1000' } })
  const open = consumersOn(kafka)

  const ofKafka = (name: string) => `org.apache.kafka.clients.consumer.${name}Assignor`
  // Who is moved from range or round robin offers both for a while, and gives everything up before each join.
  const strategies = ['CooperativeSticky', 'Range,CooperativeSticky', 'RoundRobin,CooperativeSticky'].map(names => ({
    names,
    strategy: names.split(',').map(ofKafka).join()
  }))
  const foreigners: readonly {
    readonly name: string
    readonly run: (topic: string) => Promise<{ stdout: string; stderr: string }>
  }[] = [
    ...strategies.map(({ names, strategy }) => ({
      name: `Java's consumer of ${names}`,
      run: (topic: string) =>
        runTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
          `--bootstrap-server=${kafka.bootstrap()[0]!}`,
          `--topic=${topic}`,
          `--group=${topic}-readers`,
          `--command-property=partition.assignment.strategy=${strategy}`,
          '--command-property=auto.offset.reset=earliest',
          '--max-messages=20',
          '--timeout-ms=30000'
        ])
    })),
    { name: "librdkafka's consumer", run: topic => kcatInGroup(kafka.bootstrap()[0]!, topic, 20) }
  ]
  for (const [at, { name, run }] of foreigners.entries())
    test(`shares a group with ${name}: both read, and it hands over when it ends`, async t => {
      if (name.startsWith('librdkafka') && !hasKcat) return skipWithoutKcat(t)
      const topic = `mixed-${at}`
      await kafka.createTopic(topic, { partitions: 4 })
      const ours = open(topic)
      await owns(ours.listener, 4)
      const foreign = run(topic)
      await owns(ours.listener, 2)
      await kafka.produce(
        topic,
        numbered('m', 40).map((value, index) => ({ value, partition: index % 4 }))
      )
      const { stdout, stderr } = await foreign
      await owns(ours.listener, 4)
      const theirs = stdout.split('\n').filter(line => line.startsWith('m '))
      await until(
        () => ours.listener.records.length + theirs.length >= 40,
        () => `all; ${name} said ${stdout} ${stderr}`
      )
      assert.equal(theirs.length, 20)
      assert.deepEqual(sorted([...ours.listener.values(), ...theirs]), sorted(numbered('m', 40)))
      assert.deepEqual(ours.listener.strays, [])
    })
})
