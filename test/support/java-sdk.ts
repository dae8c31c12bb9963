import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after } from 'node:test'
import { LineClient } from './line-client.ts'

const source = 'test/fixtures/clients/java'
const java = process.env['JAVA_HOME'] ? join(process.env['JAVA_HOME'], 'bin', 'java') : 'java'
/** Where the jars of the fixture's pom lie. */
const libs = process.env['MILLRACE_TEST_AWS_SDK_JAVA'] ?? join(homedir(), '.cache', 'millrace', 'aws-sdk-java')

/** Why the AWS SDK for Java cannot be used here; undefined when it can. */
export function withoutJavaSdk(): string | undefined {
  if (spawnSync(java, ['-version']).status !== 0) return `no Java here: '${java}' does not run`
  if (existsSync(libs)) return undefined
  const fetch = `mvn -f ${source}/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=${libs}`
  return `no AWS SDK for Java in ${libs}: '${fetch}' would bring it`
}

/** Makes its calls with the AWS SDK for Java v2; compiled when the first is made, without a JDK. */
export const javaSdk = (): LineClient => {
  let command: readonly string[] | undefined
  return new LineClient(() => (command ??= [java, '-XX:+UseSerialGC', '-cp', classPath(), 'LambdaCalls']))
}

function classPath(): string {
  const classes = mkdtempSync(join(tmpdir(), 'millrace-java-'))
  after(() => rmSync(classes, { recursive: true }))
  // The compiler knows no wildcard for a folder of jars.
  const jars = readdirSync(libs)
    .map(name => join(libs, name))
    .join(delimiter)
  const compiler = ['-cp', jars, 'org.eclipse.jdt.internal.compiler.batch.Main', '-17', '-nowarn', '-cp', jars]
  const { status, stderr } = spawnSync(java, [...compiler, '-d', classes, join(source, 'LambdaCalls.java')], {
    encoding: 'utf8'
  })
  assert.equal(status, 0, stderr)
  return `${classes}${delimiter}${jars}`
}
