// A reporter for node:test that says only how a run ended, as one line of JSON: {"passed":1,"failed":0,"skipped":0}.
// Suites are not counted, a cancelled test has failed, and a test marked todo counts as skipped.
import type { TestEvent } from 'node:test/reporters'

export default async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // With many files there is a summary for each, and at last one for all, which names none.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue
    const { tests, passed, skipped, todo } = event.data.counts
    yield `${JSON.stringify({ passed, failed: tests - passed - skipped - todo, skipped: skipped + todo })}\n`
  }
}
