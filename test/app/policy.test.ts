import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { runCli } from '../../src/app/cli/program.ts'
import { openControlWorld, secretAccessKey } from '../control/control-world.ts'
import { RecordingIo } from '../support/recording-io.ts'

async function setup(t: TestContext) {
  const world = await openControlWorld()
  t.after(() => world[Symbol.asyncDispose]())
  const run = async (...args: string[]) => {
    const env = {
      MILLRACE_ENDPOINT: world.server.url,
      AWS_ACCESS_KEY_ID: 'writer',
      AWS_SECRET_ACCESS_KEY: secretAccessKey
    }
    const io = new RecordingIo({ env })
    return { code: await runCli(args, io), out: io.out, err: io.err }
  }
  const created = await run(
    ...'mappings create --function-name f --topic orders --bootstrap-servers k:1,l:2 --consumer-group-id g'.split(' ')
  )
  return { run, uuid: (JSON.parse(created.out) as { UUID: string }).UUID }
}

test('policy kafka is a script of kafka-acls.sh, and tells on stderr what is to be kept in mind', async t => {
  const { run, uuid } = await setup(t)
  const { code, out, err } = await run('policy', 'kafka', uuid)
  assert.equal(code, 0)
  assert.match(out, /^kafka-acls\.sh --bootstrap-server k:1,l:2 .*--operation Read --topic orders$/m)
  assert.match(out, /--group g$/m)
  assert.ok(out.split('\n').every(line => line === '' || /^(# |kafka-acls\.sh )/.test(line)))
  assert.match(err, /User:ANONYMOUS/)
})

for (const kind of ['kafka', 'function', 'network', 'vpc-endpoints'])
  test(`policy ${kind} is one JSON document with --output json`, async t => {
    const { run, uuid } = await setup(t)
    const { code, out, err } = await run('policy', kind, uuid, '--output', 'json')
    assert.deepEqual([code, err], [0, ''])
    assert.ok(Array.isArray((JSON.parse(out) as { notes: unknown }).notes))
  })

test('policy function is a policy document that the AWS CLI takes as it is', async t => {
  const { run, uuid } = await setup(t)
  const document = JSON.parse((await run('policy', 'function', uuid)).out) as { Version: string; Statement: object[] }
  assert.equal(document.Version, '2012-10-17')
  assert.ok(document.Statement.length > 0)
})

test('the principal of the ACLs can be named, and has to look like one', async t => {
  const { run, uuid } = await setup(t)
  assert.match((await run('policy', 'kafka', uuid, '--principal', 'User:x')).out, /--allow-principal User:x /)
  const refused = await run('policy', 'kafka', uuid, '--principal', 'x')
  assert.equal(refused.code, 2)
  assert.match(refused.err, /TYPE:NAME such as User:orders/)
})

test('a mapping that does not exist is exit 3, an unknown kind of policy exit 2', async t => {
  const { run } = await setup(t)
  const absent = await run('policy', 'kafka', '00000000-0000-4000-8000-000000000000')
  assert.equal(absent.code, 3)
  assert.match(absent.err, /MILL_MAPPING_NOT_FOUND/)
  assert.equal((await run('policy', 'bucket', 'x')).code, 2)
})
