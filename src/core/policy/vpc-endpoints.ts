import { policyDocument } from './iam.ts'
import type { PolicyDocument, Statement } from './iam.ts'
import { placeOf, secretArns } from './subject.ts'
import type { PolicySubject } from './subject.ts'

/** A VPC endpoint that AWS's own pollers call through. */
export interface VpcEndpoint {
  readonly serviceName: string
  readonly type: 'Interface' | 'Gateway'
  readonly privateDns: boolean
  readonly policy: PolicyDocument
  readonly why: string
}

export interface EndpointPolicy {
  readonly endpoints: readonly VpcEndpoint[]
  readonly notes: readonly string[]
}

/** Endpoints and their policies (reference 10.6): Lambda and STS are called by AWS itself, the others by the function's role. */
export function endpointPolicy(subject: PolicySubject): EndpointPolicy {
  if (subject.provisioned)
    return { endpoints: [], notes: ['In provisioned mode AWS needs no endpoints in this network.'] }
  const { destination, functionArn } = subject
  const { region } = placeOf(functionArn)
  const endpoint = (service: string, statement: Statement, why: string, type: VpcEndpoint['type'] = 'Interface') => ({
    serviceName: `com.amazonaws.${region}.${service}`,
    type,
    privateDns: type === 'Interface',
    policy: policyDocument([statement]),
    why
  })
  const arns = secretArns(subject)
  const endpoints: VpcEndpoint[] = [
    endpoint('lambda', byLambda('lambda:InvokeFunction'), 'calls the function'),
    endpoint('sts', byLambda('sts:AssumeRole'), "assumes the function's role")
  ]
  if (arns.length > 0)
    endpoints.push(endpoint('secretsmanager', byRole('secretsmanager:GetSecretValue', arns), 'reads the secrets'))
  if (destination?.kind === 'sqs')
    endpoints.push(endpoint('sqs', byRole('sqs:SendMessage', [destination.arn]), 'delivers what is given up'))
  if (destination?.kind === 'sns')
    endpoints.push(endpoint('sns', byRole('sns:Publish', [destination.arn]), 'delivers what is given up'))
  if (destination?.kind === 's3')
    endpoints.push(
      endpoint('s3', byRole('s3:PutObject', [`${destination.arn}/*`]), 'delivers what is given up', 'Gateway')
    )
  return {
    endpoints,
    notes: [
      ...(endpoints.some(({ policy }) => JSON.stringify(policy).includes(executionRole))
        ? [`${executionRole} stands for the ARN of the function's execution role.`]
        : []),
      'A policy that lets in only principals of your organisation stops the mapping: AWS calls Lambda and STS as the service lambda.amazonaws.com.',
      'A NAT gateway in each public subnet serves instead of all of them.'
    ]
  }
}

const executionRole = 'EXECUTION_ROLE_ARN'

const byLambda = (action: string): Statement => ({
  Sid: 'Pollers',
  Effect: 'Allow',
  Principal: { Service: 'lambda.amazonaws.com' },
  Action: [action],
  Resource: '*'
})

const byRole = (action: string, resources: readonly string[]): Statement => ({
  Sid: 'Role',
  Effect: 'Allow',
  Principal: { AWS: executionRole },
  Action: [action],
  Resource: resources.length === 1 ? resources[0]! : resources
})
