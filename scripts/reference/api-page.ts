import { anyCredentials } from '../../src/control/authenticator.ts'
import { missingOperations } from '../../src/control/aws-operations.ts'
import { ControlServer } from '../../src/control/server.ts'
import { errorCodes, MillraceError } from '../../src/core/errors.ts'
import { fieldNames, mappingFields, type Field, type SourceKind } from '../../src/core/mapping/fields.ts'
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
    'What CreateEventSourceMapping and UpdateEventSourceMapping take. Members that are not listed are ignored, as AWS does. ' +
      '*Taken back by* is what Update sends to return a member to its default; what Update does not name stays. Where only ' +
      'one value is taken so far, any other is refused by name rather than accepted and not done ' +
      '([MILL_PARAMETER_NOT_BUILT](../errors.md#mill_parameter_not_built)).',
    table(
      ['member', 'source', 'Create', 'Update', 'default', 'taken back by', 'meaning'],
      fieldNames.map(name => memberRow(name, mappingFields[name]))
    ),
    'With `strictAws` (`MILLRACE_STRICT_AWS=1`) the server refuses what AWS refuses:',
    fieldNames.flatMap(name => strictLine(name, mappingFields[name])).join('\n'),
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
    clusters: { address: async () => ({ bootstrapServers: [] }), gone: () => undefined },
    authenticator: anyCredentials(),
    strictAws: false,
    maxFilters: 5,
    region: 'us-east-1',
    accountId: '000000000000',
    log: silentLog,
    clock: systemClock,
    invoke: async () => ({ kind: 'returned', payload: new Uint8Array() })
  }).operations

const sourceNames: Readonly<Record<SourceKind, string>> = { msk: 'MSK', 'self-managed': 'self-managed' }

function memberRow(name: string, field: Field): string[] {
  const { use, sources, createOnly, requiredOnCreate, clear, doc } = field
  if (use === 'other-source') return [code(name), 'none of Kafka', 'refused', 'refused', '', '', doc]
  return [
    code(name),
    sources === undefined ? 'both' : sources.map(source => sourceNames[source]).join(', '),
    requiredOnCreate ? 'required' : use === 'neutral' ? 'one value' : 'taken',
    createOnly ? 'ignored' : use === 'neutral' ? 'one value' : 'taken',
    defaultText(field),
    clear === undefined ? '' : code(JSON.stringify(clear)),
    doc
  ]
}

const defaultText = ({ default: otherwise, defaultDoc }: Field): string =>
  [otherwise === undefined ? undefined : code(String(otherwise)), defaultDoc]
    .filter(part => part !== undefined)
    .join(', ')

function strictLine(name: string, { strict }: Field): string[] {
  if (strict === undefined) return []
  const what =
    'refused' in strict ? 'is refused' : `is required of Create for ${sourceNames[strict.requiredFor]} sources`
  return [`- ${code(name)} ${what}.`]
}

function errorRow(name: (typeof errorCodes)[number]): string[][] {
  const { status, aws, message } = new MillraceError(
    name,
    Array.from({ length: 6 }, () => '…')
  )
  return status === 0 ? [] : [[`[${name}](../errors.md#${name.toLowerCase()})`, String(status), code(aws), message]]
}
