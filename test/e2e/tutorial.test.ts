import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Command } from 'commander'
import { addDev } from '../../src/app/cli/dev.ts'
import { blocksOf } from '../support/page-blocks.ts'
import { DevFolder, type DevProcess } from '../support/dev-folder.ts'
import { eventually } from '../support/poll.ts'

type Step =
  | { readonly kind: 'file'; readonly name: string; readonly content: string }
  | { readonly kind: 'run'; readonly line: string }
  | { readonly kind: 'expect'; readonly lines: readonly string[] }

/** What a reader does: save blocks that name a file, run `sh` blocks, and see what `text` blocks show. There are no others. */
function stepsOf(page: string): Step[] {
  return blocksOf(readFileSync(page, 'utf8')).flatMap(({ language, file, text, heading }): Step[] => {
    const lines = text.split('\n').filter(line => line !== '')
    if (file !== undefined) return [{ kind: 'file', name: file, content: text }]
    if (language === 'sh') return lines.map(line => ({ kind: 'run', line }))
    if (language === 'text') return [{ kind: 'expect', lines }]
    throw new Error(`${page} has a ${language} block under "${heading}" that nobody can follow: it names no file`)
  })
}

/** `…` stands for anything. */
const patternOf = (line: string): RegExp =>
  new RegExp(
    line
      .split('…')
      .map(part => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll(/ +/g, ' +'))
      .join('.*'),
    'm'
  )

const staysUp = (line: string): boolean => line.startsWith('millrace dev ') && !/--once|--print-config/.test(line)

/** Does the steps in a folder; answers the exit codes of commands that ended, in their order. */
async function follow(page: string, files: Readonly<Record<string, string>> = {}): Promise<(number | null)[]> {
  await using folder = await DevFolder.make(files)
  const codes: (number | null)[] = []
  let dev: DevProcess | undefined
  let said = ''
  for (const step of stepsOf(page)) {
    if (step.kind === 'file') folder.write(step.name, step.content)
    else if (step.kind === 'expect') {
      for (const line of step.lines)
        await eventually(() => patternOf(line).test(said) || (dev !== undefined && patternOf(line).test(dev.out)), {
          describe: () => `${line}\nin\n${said}\n${dev?.out}`,
          timeoutMs: 30_000
        })
    } else {
      // The debugger's usual port may be somebody else's here.
      const line = step.line.replace(/--inspect$/, '--inspect 0')
      if (line.startsWith('millrace dev') && dev !== undefined) {
        assert.equal(await dev.stop('SIGINT'), 0, dev.out)
        dev = undefined
      }
      if (staysUp(line)) {
        dev = folder.startShell(line)
        await dev.says(/ ready /)
      } else {
        const { code, stdout, stderr } = await folder.shell(line)
        said = stdout + stderr
        codes.push(code)
      }
    }
  }
  if (dev !== undefined) assert.equal(await dev.stop('SIGINT'), 0)
  return codes
}

test('the tutorial goes as it says, to a test that fails and one that passes', { timeout: 300_000 }, async () => {
  // send, send, tail, send, send, --once of a bad record, cat, --once of good ones
  assert.deepEqual(await follow('docs/tutorial.md'), [0, 0, 0, 0, 0, 1, 0, 0])
})

const handler = 'export const handler = async event => { console.log(Object.keys(event.records)) }\n'

test('how to run a template goes as it says', { timeout: 300_000 }, async () => {
  const template = `
Transform: AWS::Serverless-2016-10-31
Parameters: { Stage: { Type: String } }
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: nodejs22.x
      FunctionName: !Sub orders-\${Stage}
      Events:
        Kafka:
          Type: SelfManagedKafka
          Properties:
            KafkaBootstrapServers: [kafka.shop:9092]
            Topics: [orders]
            SourceAccessConfigurations: [{ Type: VPC_SUBNET, URI: subnet-1 }]
`
  assert.deepEqual(
    await follow('docs/how-to/run-a-template.md', { 'template.yaml': template, 'src/app.mjs': handler }),
    [0, 0, 0]
  )
})

test('the editor’s settings attach to the port that --inspect takes', async () => {
  const block = blocksOf(readFileSync('docs/how-to/debug-a-function.md', 'utf8')).find(
    ({ file }) => file === '.vscode/launch.json'
  )
  const { configurations } = JSON.parse(block?.text ?? '') as { configurations: { request: string; port: number }[] }
  let inspect: number | undefined
  const program = new Command()
  addDev(program, async flags => void ({ inspect } = flags))
  await program.parseAsync(['dev', '--inspect'], { from: 'user' })
  assert.deepEqual(
    configurations.map(({ request, port }) => ({ request, port })),
    [{ request: 'attach', port: inspect }]
  )
})

test('how to debug a function goes as it says', { timeout: 300_000 }, async () => {
  assert.deepEqual(await follow('docs/how-to/debug-a-function.md', { 'orders.mjs': handler }), [0, 0])
})
