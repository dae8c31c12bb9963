import assert from 'node:assert/strict'
import { readTemplate, TemplateError } from '../../../src/app/templates/read-template.ts'
import type {
  TemplateFunction,
  TemplateMapping,
  TemplateOptions,
  TemplateResult
} from '../../../src/app/templates/read-template.ts'
import { home, root } from './fixtures.ts'

type Tree = Record<string, unknown>

export const clusterArn = 'arn:aws:kafka:eu-west-1:123456789012:cluster/shop/6e63a3d1-4c66-4f2c-8f1e-0a8e3c6f6d11-3'

/** A CloudFormation template with one function and one mapping to it. */
export function small(mapping: Tree = {}, sections: Tree = {}, fn: Tree = {}): Tree {
  const { Resources, ...rest } = sections
  return {
    ...rest,
    Resources: {
      Orders: {
        Type: 'AWS::Lambda::Function',
        Properties: { Code: 'code/orders', Handler: 'app.handler', Runtime: 'nodejs22.x', ...fn }
      },
      Mapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: { FunctionName: 'Orders', EventSourceArn: clusterArn, Topics: ['orders'], ...mapping }
      },
      ...(Resources as Tree | undefined)
    }
  }
}

/** Reads a template that stands in the folder of the fixtures. */
export function read(
  template: Tree | string,
  options: Partial<TemplateOptions> = {},
  file = 'template.yaml'
): TemplateResult {
  const text = typeof template === 'string' ? template : JSON.stringify(template, null, 2)
  return readTemplate({ text, path: `${root}/${file}` }, { ...home, ...options })
}

export function only({ mappings, functions }: TemplateResult): { mapping: TemplateMapping; fn: TemplateFunction } {
  const [mapping] = mappings
  const [fn] = functions
  assert.ok(mapping !== undefined && fn !== undefined && mappings.length === 1 && functions.length === 1)
  return { mapping, fn }
}

/** What the topic comes to. */
export const topicOf = (topic: unknown, sections: Tree = {}, options: Partial<TemplateOptions> = {}): unknown =>
  only(read(small({ Topics: [topic] }, sections), options)).mapping.create.Topics?.[0]

/** The problems of a template, each as `path: message`. */
export function problems(run: () => unknown): string[] {
  try {
    run()
  } catch (error) {
    if (error instanceof TemplateError) return error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw error
  }
  return []
}
