/** Domains of AWS's partitions (https://docs.aws.amazon.com/general/latest/gr/rande.html). */
const domains: Readonly<Record<string, string>> = {
  'aws-cn': 'amazonaws.com.cn',
  'aws-eusc': 'amazonaws.eu',
  'aws-iso': 'c2s.ic.gov',
  'aws-iso-b': 'sc2s.sgov.gov',
  'aws-iso-e': 'cloud.adc-e.uk',
  'aws-iso-f': 'csp.hci.ic.gov'
}

/** Where AWS Lambda answers in a region. */
export const lambdaEndpoint = (partition: string, region: string): string =>
  `https://lambda.${region}.${domains[partition] ?? 'amazonaws.com'}`
