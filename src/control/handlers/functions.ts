import { MillraceError } from '../../core/errors.ts'
import { brokenConstraint } from '../../core/mapping/constraints.ts'
import { parseFunctionName, withQualifier } from '../../core/mapping/function-name.ts'
import type { Home } from '../../core/mapping/function-name.ts'
import type { FunctionCatalog, FunctionEntry } from '../../ports/functions.ts'
import { json } from '../reply.ts'
import type { Call, Route } from '../router.ts'
import type { FunctionConfiguration, FunctionDescription, FunctionList } from '../shapes.ts'
import { maxItems, queryValue } from './listing.ts'

/** The function a call names, and the qualifier in its name or its query. */
export interface NamedFunction {
  readonly entry: FunctionEntry
  readonly qualifier?: string
}

/** Finds the function of `{FunctionName}`. Throws `MILL_FUNCTION_UNKNOWN`. */
export function functionOf(call: Call, functions: FunctionCatalog, home: Home): NamedFunction {
  const reference = parseFunctionName(call.parameters['FunctionName'] ?? '', home)
  const qualifier = queryValue(call, 'Qualifier') ?? reference.qualifier
  if (reference.qualifier !== undefined && qualifier !== reference.qualifier)
    throw new MillraceError('MILL_PARAMETER_INVALID', [
      'The derived qualifier from the function name does not match the specified qualifier.'
    ])
  const entry = functions.find(reference.name, reference.isLocated ? reference.arn : undefined)
  if (entry === undefined) throw new MillraceError('MILL_FUNCTION_UNKNOWN', [withQualifier(reference.arn, qualifier)])
  return { entry, ...(qualifier === undefined ? {} : { qualifier }) }
}

/** GetFunction, GetFunctionConfiguration and ListFunctions, for tools that look a function up before they map it. */
export function functionRoutes(functions: FunctionCatalog, home: Home): Route[] {
  return [
    {
      operation: 'GetFunction',
      method: 'GET',
      path: '/2015-03-31/functions/{FunctionName}',
      access: 'read',
      handle: async call => {
        const { entry, qualifier } = functionOf(call, functions, home)
        const description: FunctionDescription = {
          Configuration: await inspected(entry, qualifier),
          Code: {},
          Tags: {}
        }
        return json(200, description)
      }
    },
    {
      operation: 'GetFunctionConfiguration',
      method: 'GET',
      path: '/2015-03-31/functions/{FunctionName}/configuration',
      access: 'read',
      handle: async call => {
        const { entry, qualifier } = functionOf(call, functions, home)
        return json(200, await inspected(entry, qualifier))
      }
    },
    {
      operation: 'ListFunctions',
      method: 'GET',
      path: '/2015-03-31/functions',
      access: 'read',
      handle: async call => json(200, list(functions.list(), maxItems(call), queryValue(call, 'Marker')))
    }
  ]
}

/** AWS's own most for one answer of ListFunctions. */
const longestPage = 50

/** The marker is the name of the last function of the page before. */
function list(entries: readonly FunctionEntry[], limit = longestPage, marker?: string): FunctionList {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const rest = marker === undefined ? sorted : sorted.filter(entry => entry.name > marker)
  const page = rest.slice(0, Math.min(limit, longestPage))
  const last = page.at(-1)
  return {
    Functions: page.map(entry => describe(entry, undefined)),
    ...(rest.length > page.length && last !== undefined ? { NextMarker: last.name } : {})
  }
}

/** As the function's host describes it. Throws `MILL_FUNCTION_UNKNOWN` when it has none of that name. */
async function inspected(entry: FunctionEntry, qualifier: string | undefined): Promise<FunctionConfiguration> {
  const described = describe(entry, qualifier)
  if (entry.inspect === undefined) return described
  try {
    const { timeoutSeconds, memoryMiB, version } = await entry.inspect(qualifier)
    return {
      ...described,
      Timeout: timeoutSeconds ?? described.Timeout,
      MemorySize: memoryMiB ?? described.MemorySize,
      Version: version ?? described.Version
    }
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MILL_FUNCTION_NOT_FOUND')
      throw new MillraceError('MILL_FUNCTION_UNKNOWN', [withQualifier(entry.arn, qualifier)])
    throw error
  }
}

const descriptions = {
  http: 'HTTP endpoint',
  handler: 'Local handler',
  command: 'Local program',
  lambda: 'AWS Lambda'
} as const satisfies Record<FunctionEntry['kind'], string>

function describe(entry: FunctionEntry, qualifier: string | undefined): FunctionConfiguration {
  if (qualifier !== undefined && !/^(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9$_-]{1,128})$/.test(qualifier))
    throw brokenConstraint(
      qualifier,
      'Qualifier',
      'Member must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+'
    )
  return {
    FunctionName: entry.name,
    FunctionArn: withQualifier(entry.arn, qualifier),
    Description: descriptions[entry.kind],
    Timeout: entry.timeoutSeconds,
    MemorySize: 128,
    Version: qualifier !== undefined && /^\d+$/.test(qualifier) ? qualifier : '$LATEST',
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: 'Zip',
    // The configuration file does not say; a constant keeps tools from seeing a change that is none.
    LastModified: '1970-01-01T00:00:00.000+0000'
  }
}
