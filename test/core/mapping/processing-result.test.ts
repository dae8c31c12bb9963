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
      ['authorization', 'PROBLEM: Cluster failed to authorize Lambda.', 'EVENT_SOURCE_AUTHZ_ERROR']
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
