import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { openDestination } from '../../../src/adapters/destination/open-destination.ts'
import { rotate } from '../../../src/adapters/destination/rotation.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { aMessage, destinationContract } from '../../contracts/destination.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const run = promisify(execFile)
const patience = () => AbortSignal.timeout(60_000)

async function setup(t: TestContext, maxFileBytes?: number, name = 'failed.jsonl') {
  const home = await mkdtemp(join(tmpdir(), 'millrace-file-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const folder = join(home, 'destinations')
  const log = new RecordingLog()
  const open = () =>
    openDestination(
      { kind: 'file', name },
      {
        log,
        clock: systemClock,
        aws: { credentials: new AwsCredentialChain(systemClock) },
        region: 'us-east-1',
        destinationDir: folder,
        ...(maxFileBytes ? { maxFileBytes } : {})
      }
    )
  const destination = open()
  t.after(() => destination.close())
  const path = join(folder, name)
  return {
    folder,
    path,
    log,
    destination,
    deliver: (...contents: unknown[]) => destination.deliver(contents.map(aMessage), patience()),
    text: (suffix = '') => readFile(`${path}${suffix}`, 'utf8')
  }
}

/** The lines of a file and of all it was rotated to, oldest first; blank ones are none. */
async function linesOf(path: string, files: readonly string[]): Promise<unknown[]> {
  const texts = await Promise.all(files.map(file => readFile(join(path, file), 'utf8')))
  return texts.flatMap(text =>
    text
      .split('\n')
      .filter(line => line.trim() !== '')
      .map(line => JSON.parse(line) as unknown)
  )
}

destinationContract('file', async () => {
  const home = await mkdtemp(join(tmpdir(), 'millrace-file-'))
  const folder = join(home, 'destinations')
  const destination = openDestination(
    { kind: 'file', name: 'team/failed.jsonl' },
    {
      log: new RecordingLog(),
      clock: systemClock,
      aws: { credentials: new AwsCredentialChain(systemClock) },
      region: 'us-east-1',
      destinationDir: folder
    }
  )
  return {
    destination,
    name: 'file:team/failed.jsonl',
    received: () => linesOf(folder, ['team/failed.jsonl']).catch(() => []),
    // A file where the folder should be.
    breakDown: async () => {
      await rename(folder, `${folder}.away`)
      await writeFile(folder, '')
    },
    heal: async () => {
      await rm(folder)
      await rename(`${folder}.away`, folder)
    },
    async [Symbol.asyncDispose]() {
      await destination.close()
      await rm(home, { recursive: true, force: true })
    }
  }
})

describe('a file destination', () => {
  test('is nobody else’s to read', async t => {
    const { folder, path, deliver } = await setup(t, undefined, 'team/orders/failed.jsonl')
    await deliver(1)
    const modes = [folder, join(folder, 'team'), join(folder, 'team/orders'), path].map(
      async path => (await stat(path)).mode & 0o777
    )
    assert.deepEqual(await Promise.all(modes), [0o700, 0o700, 0o700, 0o600])
  })

  test('goes on after what is there already', async t => {
    const { folder, path, deliver, text } = await setup(t)
    await mkdir(folder)
    await writeFile(path, '"old"\n')
    await deliver('new')
    assert.equal(await text(), '"old"\n"new"\n')
  })

  test('leaves half a line of a crash alone, on a line of its own', async t => {
    const { path, deliver, text } = await setup(t)
    await deliver('first')
    await appendFile(path, '{"requestContext":{"requ')
    await deliver('second')
    assert.equal(await text(), '"first"\n{"requestContext":{"requ\n"second"\n')
  })

  test('tells in plain words what is wrong', async t => {
    const { folder, deliver } = await setup(t)
    await mkdir(join(folder, 'failed.jsonl'), { recursive: true })
    await assert.rejects(deliver('x'), {
      message: 'Destination file:failed.jsonl took nothing: it is a folder (EISDIR).'
    })
  })

  test('is made anew after somebody has moved it away', async t => {
    const { path, deliver, text } = await setup(t)
    await deliver('a')
    await rename(path, `${path}.taken`)
    await deliver('b')
    assert.deepEqual([await text('.taken'), await text()], ['"a"\n', '"b"\n'])
  })
})

describe('rotation', () => {
  test('a file that would grow past its limit gets the next number; none is lost, none larger', async t => {
    const { folder, path, deliver, log } = await setup(t, 100)
    for (let n = 0; n < 10; n++) await deliver({ n, padding: 'x'.repeat(20) })
    const files = ['failed.jsonl.1', 'failed.jsonl.2', 'failed.jsonl.3', 'failed.jsonl.4', 'failed.jsonl']
    assert.deepEqual((await readdir(folder)).toSorted(), files.toSorted())
    const lines = (await linesOf(folder, files)) as { n: number }[]
    assert.deepEqual(
      lines.map(({ n }) => n),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    )
    for (const file of files) assert.ok((await stat(join(folder, file))).size <= 100)
    assert.deepEqual(
      log.lines.map(({ fields }) => fields['rotated']),
      files.slice(0, 4).map(file => join(folder, file))
    )
    assert.equal((await stat(`${path}.1`)).mode & 0o777, 0o600)
  })

  test('happens in the middle of a delivery too', async t => {
    const { folder, deliver } = await setup(t, 50)
    await deliver(...Array.from({ length: 5 }, (_, n) => n + 'x'.repeat(20)))
    assert.equal((await readdir(folder)).length, 3)
  })

  test('a line longer than the limit has a file of its own', async t => {
    const { text, deliver } = await setup(t, 100)
    await deliver('a')
    await deliver('b'.repeat(500))
    await deliver('c')
    assert.deepEqual([(await text('.1')).length, (await text('.2')).length, await text()], [4, 503, '"c"\n'])
  })

  test('overwrites nothing: numbers go on from the highest, whatever has them', async t => {
    const { folder, deliver, text } = await setup(t, 10)
    await mkdir(folder)
    await writeFile(join(folder, 'failed.jsonl.7'), 'kept')
    await writeFile(join(folder, 'failed.jsonl.bak'), 'kept')
    await deliver('aaaaaa')
    await deliver('bbbbbb')
    assert.deepEqual([await text('.7'), await text('.8')], ['kept', '"aaaaaa"\n'])
  })

  test('does nothing to a file that somebody else has rotated meanwhile', async t => {
    const { folder, path, deliver } = await setup(t)
    await deliver('a')
    const { ino } = await stat(path)
    await rename(path, `${path}.1`)
    assert.equal(await rotate(path, ino), undefined)
    await deliver('b')
    assert.equal(await rotate(path, ino), undefined)
    assert.deepEqual((await readdir(folder)).toSorted(), ['failed.jsonl', 'failed.jsonl.1'])
  })
})

interface Told {
  readonly delivered: number[]
  readonly refused: string[]
}

const fixture = 'test/fixtures/destination/append.ts'

test('processes that append and rotate at the same time lose and mix nothing', async t => {
  const { folder } = await setup(t)
  const writers = ['a', 'b', 'c', 'd']
  const each = 60
  const told = await Promise.all(
    writers.map(async writer => {
      const args = [fixture, folder, 'failed.jsonl', '20000', writer, String(each), '900']
      return JSON.parse((await run(process.execPath, args)).stdout) as Told
    })
  )
  for (const { delivered, refused } of told) assert.deepEqual([delivered.length, refused], [each, []])
  const files = await readdir(folder)
  assert.ok(files.length > 5, `${files.length} files`)
  const lines = (await linesOf(folder, files)) as { writer: string; n: number; value: string }[]
  assert.ok(lines.every(({ value }) => value.length === 900))
  const seen = lines.map(({ writer, n }) => `${writer}${n}`)
  const wanted = writers.flatMap(writer => Array.from({ length: each }, (_, n) => `${writer}${n}`))
  assert.deepEqual(seen.toSorted(), wanted.toSorted())
})

for (const manner of ['one after the other', 'together']) {
  test(`where no more can be written it rejects, and leaves no half line behind: ${manner}`, async t => {
    const { folder, deliver, text } = await setup(t)
    // The kernel lets this process write no file beyond 4 KiB: the ninth line of about 500 bytes is cut in the middle.
    const args = [fixture, folder, 'failed.jsonl', '1000000', 'w', '12', '470', manner]
    const { stdout } = await run('sh', ['-c', 'ulimit -f 8 && exec "$0" "$@"', process.execPath, ...args])
    const { delivered, refused } = JSON.parse(stdout) as Told
    // Lines before the trouble are on the disk: their deliveries have succeeded.
    assert.deepEqual(delivered, [0, 1, 2, 3, 4, 5, 6, 7])
    assert.equal(refused.length, 4)
    for (const message of refused) {
      assert.match(
        message,
        /^Destination file:failed\.jsonl took nothing: the (disk is full \(ENOSPC\)|file may not grow any more \(EFBIG\))\.$/
      )
    }
    await deliver('after')
    const lines = (await text()).split('\n').filter(line => line.trim() !== '')
    assert.deepEqual(
      lines.map(line => JSON.parse(line) as unknown).map(line => (line as { n?: number }).n ?? line),
      [0, 1, 2, 3, 4, 5, 6, 7, 'after']
    )
  })
}
