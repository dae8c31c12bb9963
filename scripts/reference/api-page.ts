import { anyCredentials } from '../../src/control/authenticator.ts'
import { missingOperations } from '../../src/control/aws-operations.ts'
import { ControlServer } from '../../src/control/server.ts'
import { errorCodes, MillraceError } from '../../src/core/errors.ts'
import { fieldNames, mappingFields, type Field } from '../../src/core/mapping/fields.ts'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import type { MappingStore } from '../../src/ports/mapping-store.ts'
import { code, generated, table } from './markdown.ts'
import { membersOf, shapeText } from './shape-text.ts'

/** `docs/reference/api.md`: operations, members, errors. */
export function apiPage(): string {
  return [
    generated('src/core/mapping/fields.ts, src/core/errors.ts and the routes in src/control'),
    '# The API',
    'The REST API of AWS Lambda, version `2015-03-31`, as far as event source mappings of Kafka go. Requests are signed with AWS ' +
      'Signature Version 4 for the service `lambda`, in whatever region. Collections answer with and without a trailing slash.',
    '## Operations',
    table(
      ['operation', 'request', 'access'],
      operations().map(({ operation, method, path, access }) => [operation, code(`${method} ${path}`), access])
    ),
    'Paths that begin with `/millrace/` are our own; AWS does not have them.',
    'Other operations of AWS Lambda are refused by name with `UnknownOperationException` (404, ' +
      `[MILL_OPERATION_NOT_BUILT](../errors.md#mill_operation_not_built)): ${missingOperations.join(', ')}.`,
    '## Members of a mapping',
    'What CreateEventSourceMapping and UpdateEventSourceMapping take. Members that are not listed are ignored, as AWS does.',
    table(
      ['member', 'Create', 'Update', 'meaning'],
      fieldNames.map(name => memberRow(name, mappingFields[name]))
    ),
    '### Types and limits',
    'Those of AWS’s service model. `[]` stands for each element of a list, `.*` for each key of a map. What breaks them is told ' +
      'all at once, in AWS’s words, as a `ValidationException`.',
    table(
      ['member', 'type and limits'],
      fieldNames
        .flatMap(name => membersOf(name, mappingFields[name].shape))
        .map(({ path, shape }) => [code(path), shapeText(shape)])
    ),
    '## Errors',
    'AWS’s type of an error stands in the header `x-amzn-errortype`, our own code in `x-millrace-error`; each is explained on ' +
      '[the page of errors](../errors.md).',
    table(['code', 'status', 'type', 'message'], errorCodes.toSorted().flatMap(errorRow))
  ].join('\n\n')
}

/** Of a server that is never started. */
const operations = (): ControlServer['operations'] =>
  new ControlServer({
    listen: { host: '127.0.0.1', port: 0 },
    // Nothing is asked of it.
    store: {} as MappingStore,
    functions: { find: () => undefined, list: () => [] },
    clusters: { address: async () => ({ bootstrapServers: [] }) },
    authenticator: anyCredentials(),
    strictAws: false,
    region: 'us-east-1',
    accountId: '000000000000',
    log: silentLog,
    clock: systemClock,
    invoke: async () => ({ kind: 'returned', payload: new Uint8Array() })
  }).operations

function memberRow(name: string, { use, createOnly, requiredOnCreate, doc }: Field): string[] {
  const refused = use === 'other-source'
  return [
    code(name),
    refused ? 'refused' : requiredOnCreate ? 'required' : 'taken',
    refused ? 'refused' : createOnly ? 'ignored' : 'taken',
    doc
  ]
}

function errorRow(name: (typeof errorCodes)[number]): string[][] {
  const { status, aws, message } = new MillraceError(
    name,
    Array.from({ length: 6 }, () => '…')
  )
  return status === 0 ? [] : [[`[${name}](../errors.md#${name.toLowerCase()})`, String(status), code(aws), message]]
}
