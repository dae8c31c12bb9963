import {
  clusterFields,
  credentialFields,
  credentialVariables,
  functionFields,
  secretFields,
  type Field,
  type Fields
} from '../../src/app/config/fields.ts'
import { optionKeys, options, type Option } from '../../src/app/config/options.ts'
import { wantedText } from '../../src/app/config/value.ts'
import { code, generated, table } from './markdown.ts'

/** `docs/reference/configuration.md`: every key of `millrace.yaml`, variable and flag. */
export function configurationPage(): string {
  return [
    generated('src/app/config/options.ts and src/app/config/fields.ts'),
    '# Configuration',
    'All of it is optional. Flags win over the environment, the environment over `millrace.yaml` in the working directory, or ' +
      'over the file that `--config` or `MILLRACE_CONFIG` names. `millrace serve --print-config` prints what is in force and ' +
      'where each value came from. Unknown keys are refused by name.',
    '## Single values',
    table(['key', 'value', 'default', 'environment', 'flag', 'meaning'], optionKeys.map(optionRow)),
    '## `credentials`',
    'Who may call the API: a list, each entry with these fields. Where there is none, `serve` makes a key and keeps it in ' +
      '`credentials.json` in `dataDir`. One more key may come from the environment: ' +
      `${Object.values(credentialVariables).map(code).join(', ')}; it stands in place of the one with its id.`,
    fieldTable(credentialFields),
    '## `functions`',
    'Names with functions. Which of these fields is there says what kind of function it is.',
    ...Object.entries(functionFields).flatMap(([kind, fields]) => [`### ${code(kind)}`, fieldTable(fields)]),
    '## `clusters`',
    'MSK ARNs with their brokers, for mappings that name an `EventSourceArn`.',
    fieldTable(clusterFields),
    '## `secrets`',
    'ARNs of secrets with where they are, for those without AWS Secrets Manager: one of the two for each.',
    fieldTable(secretFields),
    '## `mappings`',
    'A list of mappings that `millrace dev` runs, each with the [members](api.md#members-of-a-mapping) of CreateEventSourceMapping. ' +
      'Without a source it reads from the broker of `dev`, as do those that name one, unless their MSK ARN stands under `clusters`. ' +
      '`millrace serve` leaves them alone: it runs the mappings that its API was told.'
  ].join('\n\n')
}

function optionRow(key: keyof typeof options): string[] {
  const { type, default: otherwise, env, flag, doc }: Option = options[key]
  return [
    code(key),
    wantedText(type),
    code(String(otherwise)),
    env.map(code).join(', '),
    flag === undefined ? '' : code(`${flag.name} ${flag.value}`),
    doc
  ]
}

const fieldTable = (fields: Fields): string =>
  table(
    ['field', 'value', 'default', 'meaning'],
    Object.entries(fields).map(([name, { type, default: otherwise, required, doc }]: [string, Field]) => [
      code(name),
      wantedText(type),
      required ? 'must be there' : otherwise === undefined ? '' : code(String(otherwise)),
      doc
    ])
  )
