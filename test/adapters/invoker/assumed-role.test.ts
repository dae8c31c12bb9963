import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { AwsCredentials } from '../../../src/adapters/invoker/aws-credentials.ts'

const answer = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

test('a role is assumed at STS with its external ID, by the credentials of the environment', async t => {
  const asked: { body: string; authorization: string }[] = []
  const server = createServer((request, response) => {
    void text(request).then(body => {
      asked.push({ body, authorization: request.headers.authorization ?? '' })
      response.writeHead(200, { 'content-type': 'text/xml' }).end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = {
    AWS_ACCESS_KEY_ID: 'AKIDOWN',
    AWS_SECRET_ACCESS_KEY: 'own',
    AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const before = Object.keys(own).map(name => [name, process.env[name]] as const)
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    server.close()
    server.closeAllConnections()
  })
  Object.assign(process.env, own)
  const role = { roleArn: 'arn:aws:iam::123456789012:role/caller', externalId: 'their-id' }
  const found = await new AwsCredentials().of(role, 'eu-west-1').current()
  assert.deepEqual([found.accessKeyId, found.sessionToken], ['ASIAROLE', 'token'])
  const parameters = new URLSearchParams(asked[0]?.body)
  assert.deepEqual(
    ['Action', 'RoleArn', 'ExternalId', 'RoleSessionName'].map(name => parameters.get(name)),
    ['AssumeRole', role.roleArn, 'their-id', 'millrace']
  )
  assert.match(asked[0]?.authorization ?? '', /Credential=AKIDOWN\/\d+\/eu-west-1\/sts\//)
})
