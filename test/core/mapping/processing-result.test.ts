import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { describeProblem } from '../../../src/core/mapping/processing-result.ts'
import type { ProcessingProblem } from '../../../src/core/mapping/processing-result.ts'

suite('LastProcessingResult (reference 9.6)', () => {
  test('begins with AWS’s sentence, and goes on with stage, broker and error', () => {
    const cases: readonly (readonly [ProcessingProblem['kind'], string, string | undefined])[] = [
      ['unresolvable', 'PROBLEM: The provided Kafka broker endpoints cannot be resolved.', undefined],
      ['connection', 'PROBLEM: Connection error. Please check your event source connection configuration.', undefined],
      ['server-untrusted', 'PROBLEM: Lambda failed to authenticate server.', 'EVENT_SOURCE_AUTHN_ERROR'],
      ['client-refused', 'PROBLEM: Server failed to authenticate Lambda.', 'EVENT_SOURCE_AUTHN_ERROR'],
      ['client-certificate', 'PROBLEM: Provided certificate or private key is invalid.', 'ESM_CONFIG_NOT_VALID'],
      ['authentication', 'PROBLEM: SASL authentication failed.', 'EVENT_SOURCE_AUTHN_ERROR'],
      ['authorization', 'PROBLEM: Cluster failed to authorize Lambda.', 'EVENT_SOURCE_AUTHZ_ERROR'],
      [
        'secret',
        'PROBLEM: Connection error. Your event source VPC must be able to connect to Lambda and STS, Secrets Manager (if event source authentication is required), and the OnFailure Destination (if one is configured).',
        undefined
      ],
      [
        'role',
        'PROBLEM: Lambda failed to assume your function execution role. Please check if the role trust Lambda service principal, and make sure it does not require setting source identity to be assumed.',
        'ESM_CONFIG_NOT_VALID'
      ],
      [
        'permission',
        'PROBLEM: Lambda does not have enough permission to process your event source.',
        'EVENT_SOURCE_AUTHZ_ERROR'
      ],
      ['function', 'PROBLEM: Function call failed.', undefined],
      ['internal', 'PROBLEM: Lambda internal error. Please contact Lambda customer support.', undefined]
    ]
    for (const [kind, sentence, reason] of cases) {
      const result = describeProblem({ kind, stage: 'TLS', broker: 'b-1:9094', message: ' it\n  broke ' })
      assert.equal(result.text, `${sentence} Details: TLS b-1:9094: it broke`)
      assert.equal(result.reason, reason)
    }
  })

  test('leaves out what is not known, and what would be too long', () => {
    const text = (problem: Omit<ProcessingProblem, 'kind'>) => describeProblem({ kind: 'function', ...problem }).text
    assert.equal(text({ message: 'it broke' }), 'PROBLEM: Function call failed. Details: it broke')
    assert.equal(text({ stage: 'group', message: 'no' }), 'PROBLEM: Function call failed. Details: group: no')
    assert.equal(text({ message: '' }), 'PROBLEM: Function call failed.')
    assert.equal(text({ message: 'x'.repeat(5000) }).length, 'PROBLEM: Function call failed. Details: '.length + 600)
  })
})
