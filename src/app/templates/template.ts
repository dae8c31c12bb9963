import type { CreateBody } from './create-body.ts'

/** What a function consists of. */
export type TemplateCode =
  /** Absolute; the handler is relative to it. */
  | { readonly kind: 'folder'; readonly path: string }
  /** Lambda would write the text into `fileName`; whoever runs it does. */
  | { readonly kind: 'inline'; readonly fileName: string; readonly text: string }
  /** `options.elsewhere` names it: nothing was read of its code. */
  | { readonly kind: 'elsewhere' }

export interface TemplateFunction {
  readonly logicalId: string
  readonly file: string
  /** Where the file has it, for messages: `Resources.Orders`. */
  readonly path: string
  readonly name: string
  /** `file.export` for most runtimes, relative to the code; absent for those that need none. */
  readonly handler?: string
  /** As the template says: `nodejs24.x`, `python3.13`, `provided.al2023`. */
  readonly runtime?: string
  readonly code: TemplateCode
  /** How `sam build` would make the code, where the folder may not be runnable as it is: `makefile`, `rust-cargolambda`. */
  readonly buildMethod?: string
  readonly timeoutSeconds: number
  readonly memoryMiB: number
  readonly environment: Readonly<Record<string, string>>
}

export interface TemplateMapping {
  /** As CloudFormation would name it: an event of SAM's has the ids of its function and its own, put together. */
  readonly logicalId: string
  readonly file: string
  readonly path: string
  /** The bare name of a function of the template, or, of one that is not in it, whatever the template says. */
  readonly functionName: string
  readonly qualifier?: string
  /** The body of CreateEventSourceMapping. */
  readonly create: CreateBody
}

export interface TemplateResult {
  readonly functions: readonly TemplateFunction[]
  readonly mappings: readonly TemplateMapping[]
  /** The MSK clusters that mappings read from, each once. */
  readonly mskArns: readonly string[]
  /** What a person should know: names that were made up, layers that are not loaded. */
  readonly notes: readonly string[]
}

type Texts = Readonly<Record<string, string>>

export interface TemplateOptions {
  readonly region: string
  readonly accountId: string
  /** Values of parameters, over their defaults. For serverless.yml: of `${opt:…}` and `${param:…}`. */
  readonly parameters?: Texts
  /** Values of `Fn::ImportValue` by name. */
  readonly imports?: Texts
  /** Values of resources that are known at AWS alone: `Table` for `!Ref Table`, `Table.StreamArn` for `!GetAtt`. */
  readonly resources?: Texts
  /** Environment variables over those of the template, by function name or logical id; `Parameters`: of every function. */
  readonly environment?: Readonly<Record<string, Texts>>
  /** Names of functions that run elsewhere: their code and environment are not read. */
  readonly elsewhere?: readonly string[]
  /** `AWS::StackName`, and the beginning of names that are made up. Default `local`. */
  readonly stackName?: string
  /** What `${env:…}` of a serverless.yml reads. Default: nothing. */
  readonly env?: Readonly<Record<string, string | undefined>>
}
