import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { suite, test } from 'node:test'
import type { SaslDialogue } from '../../../../src/adapters/kafka/security/sasl-dialogue.ts'
import { oauthBearer } from '../../../../src/adapters/kafka/security/sasl-oauthbearer.ts'
import { plain } from '../../../../src/adapters/kafka/security/sasl-plain.ts'
import { scram } from '../../../../src/adapters/kafka/security/sasl-scram.ts'

/** What the client says to these answers. */
async function said(dialogue: SaslDialogue, ...answers: readonly string[]): Promise<string[]> {
  const messages: string[] = []
  let step = await dialogue.next()
  for (const answer of answers) {
    assert.ok(step.done !== true, 'it has something to say')
    messages.push(step.value.toString())
    step = await dialogue.next(Buffer.from(answer))
  }
  assert.equal(step.done, true, 'it is content')
  return messages
}

const login = { username: 'user', password: 'pencil' }
const nonce = 'rOprNGfwEbeRWgbNEkqO'
const fullNonce = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`
const challenge = `r=${fullNonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`

/** The other side, written from RFC 5802's formulas. */
function serverOf(hash: 'sha256' | 'sha512', password: string, first: string) {
  const salt = Buffer.from('some salt')
  const salted = pbkdf2Sync(password, salt, 4096, hash === 'sha256' ? 32 : 64, hash)
  const hmac = (key: Buffer, text: string | Buffer) => createHmac(hash, key).update(text).digest()
  const storedKey = createHash(hash).update(hmac(salted, 'Client Key')).digest()
  const challenge = `r=${/r=(.*)$/.exec(first)![1]!}server,s=${salt.toString('base64')},i=4096`
  return {
    challenge,
    check(last: string): string {
      const [, withoutProof, proof] = /^(c=biws,r=.*),p=(.*)$/.exec(last)!
      const signed = `${first.slice(3)},${challenge},${withoutProof}`
      const signature = hmac(storedKey, signed)
      const clientKey = Buffer.from(proof!, 'base64').map((byte, at) => byte ^ signature[at]!)
      assert.deepEqual(createHash(hash).update(clientKey).digest(), storedKey, 'the proof is right')
      return `v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`
    }
  }
}

suite('SCRAM', () => {
  test("speaks RFC 7677's example", async () => {
    const verifier = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='
    assert.deepEqual(await said(scram('sha256', login, nonce), challenge, verifier), [
      'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      `c=biws,r=${fullNonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`
    ])
  })

  for (const hash of ['sha256', 'sha512'] as const)
    test(`with ${hash} proves the password to a server made from RFC 5802's formulas, whatever it holds`, async () => {
      for (const password of ['pencil', 'pa=ss,wörd "\\ ﬁne²', ' ']) {
        const dialogue = scram(hash, { username: 'us=er,näme', password })
        const first = String((await dialogue.next()).value)
        assert.match(first, /^n,,n=us=3Der=2Cnäme,r=[A-Za-z0-9+/]{24}$/)
        const server = serverOf(hash, password, first)
        const last = String((await dialogue.next(Buffer.from(server.challenge))).value)
        assert.equal((await dialogue.next(Buffer.from(server.check(last)))).done, true)
      }
    })

  test('draws another nonce each time', async () => {
    const [one, two] = [await scram('sha512', login).next(), await scram('sha512', login).next()]
    assert.notEqual(String(one.value), String(two.value))
  })

  test('does not believe a broker that does not know the password', async () => {
    for (const verifier of ['v=AAAA', 'v=', '', `v=${Buffer.alloc(32).toString('base64')}`])
      await assert.rejects(said(scram('sha256', login, nonce), challenge, verifier), {
        name: 'SaslRefusal',
        message: /does not prove that it knows the password/
      })
    await assert.rejects(said(scram('sha256', login, nonce), challenge, 'e=other-error'), { message: 'other-error' })
  })

  test('ends with a challenge that is none, somebody else’s, or made to cost time or to be guessed', async () => {
    const cases = [
      ['', /lacks nonce, salt, iterations/],
      ['r=other,s=W22Z,i=4096', /somebody else's/],
      [`r=${nonce},s=W22Z,i=4096`, /somebody else's/],
      [`r=${fullNonce},s=W22Z,i=4095`, /asks for 4095 SCRAM iterations/],
      [`r=${fullNonce},s=W22Z,i=2000000000`, /asks for 2000000000 SCRAM iterations/],
      [`r=${fullNonce},s=W22Z,i=many`, /asks for many SCRAM iterations/]
    ] as const
    for (const [wrong, message] of cases)
      await assert.rejects(said(scram('sha256', login, nonce), wrong, ''), { name: 'SaslRefusal', message })
  })
})

test('PLAIN says name and password once (RFC 4616)', async () => {
  assert.deepEqual(await said(plain({ username: 'tim', password: 'tanstaaf,=tanstaaf' }), ''), [
    '\0tim\0tanstaaf,=tanstaaf'
  ])
})

suite('OAUTHBEARER (RFC 7628)', () => {
  test('says the token once', async () => {
    assert.deepEqual(await said(oauthBearer('vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29t'), ''), [
      'n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29t\x01\x01'
    ])
  })

  test('says extensions after the token, as Kafka’s own client does (KIP-342)', async () => {
    const extensions = [
      ['logicalCluster', 'lkc-1'],
      ['identityPoolId', 'pool=2;"x"']
    ] as const
    assert.deepEqual(await said(oauthBearer('t', extensions), ''), [
      'n,,\x01auth=Bearer t\x01logicalCluster=lkc-1\x01identityPoolId=pool=2;"x"\x01\x01'
    ])
  })

  test('of a token that is refused tells why, after it said that it has read it', async () => {
    const dialogue = oauthBearer('t')
    await dialogue.next()
    const end = await dialogue.next(Buffer.from('{"status":"invalid_token","scope":"kafka"}'))
    assert.equal(String(end.value), '\x01')
    await assert.rejects(dialogue.throw(new Error('Kafka says no')), {
      name: 'SaslRefusal',
      message: 'the broker refuses the token: invalid_token (scope kafka): Kafka says no'
    })
    await assert.rejects(said(oauthBearer('t'), 'not JSON', ''), /refuses the token: not JSON/)
  })
})
