import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => void

/** An HTTP server until the test ends; resolves with its address. */
export async function serveHttp(t: TestContext, answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then(body => answer(request, body, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Refuses, and repeats all that it was sent: as AWS does with a signature that does not fit. */
export const repeatsEverything: Answer = (request, body, response) => {
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}:${String(value)}`)
  const message =
    'The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this ' +
    `request should have been\n'POST\n/\n\n${headers.join('\n')}\n\n${body}'\n\nThe String-to-Sign should have been\n'AWS4'`
  response.writeHead(403, { 'content-type': 'application/json', 'x-amzn-errortype': 'InvalidSignatureException' })
  response.end(JSON.stringify({ __type: 'InvalidSignatureException', message, Message: message }))
}

/** An OpenID token endpoint that refuses, and says with what it was asked. */
export const refusesToken: Answer = (request, body, response) => {
  response.writeHead(401, {
    'content-type': 'application/json',
    'www-authenticate': request.headers.authorization ?? ''
  })
  response.end(
    JSON.stringify({ error: 'invalid_client', error_description: `${request.headers.authorization} ${body}` })
  )
}

export const givesToken =
  (token: string): Answer =>
  (_request, _body, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 60 }))
  }
