import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ApiAccess } from './mapping-api.ts'

const callTimeoutMs = 120_000

/** Where a mirror of providers may lie: in MILLRACE_TF_PLUGINS, or in a folder `tf-plugins` where programs keep such things. */
function pluginFolder(): string | undefined {
  const parents = ['/opt', '/usr/local/share', '/usr/share', '/var/lib', homedir(), join(homedir(), '.terraform.d')]
  const named = process.env['MILLRACE_TF_PLUGINS']
  const folders = named ? [named] : parents.map(parent => join(parent, 'tf-plugins'))
  return folders.find(folder => existsSync(join(folder, 'registry.terraform.io/hashicorp/aws')))
}

/**
 * Registers a test that needs Terraform and its provider for AWS, which is too large to fetch for a test: where they are
 * missing it is skipped by name, in CI too.
 */
export function terraformTest(name: string, body: (t: TestContext) => Promise<void>): void {
  const reason =
    spawnSync('terraform', ['-version']).status !== 0
      ? 'no program terraform here'
      : pluginFolder() === undefined
        ? 'no mirror of Terraform providers with hashicorp/aws here: MILLRACE_TF_PLUGINS can name one'
        : undefined
  if (reason === undefined) test(name, { timeout: 380_000 }, body)
  else test(name, { skip: reason }, () => undefined)
}

export interface TerraformEnd {
  readonly code: number
  /** stdout and stderr, without the ornament of errors. */
  readonly said: string
}

/** One configuration in a folder of its own. */
export class Terraform {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv

  private constructor(folder: string, { accessKeyId, secretAccessKey }: ApiAccess) {
    this.#folder = folder
    const { PATH, HOME } = process.env
    // Nothing of the machine's own configuration, and nobody is called but our server.
    this.#env = {
      PATH,
      HOME,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      TF_CLI_CONFIG_FILE: join(folder, 'terraform.rc'),
      TF_IN_AUTOMATION: '1',
      CHECKPOINT_DISABLE: '1',
      // The provider builds the schemas of a thousand resources at each start: with less collecting it takes half the time.
      GOGC: '400'
    }
  }

  /** A copy of the configuration in `source`, initialised. */
  static async init(t: TestContext, source: string, access: ApiAccess): Promise<Terraform> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-terraform-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await mkdir(join(folder, 'work'))
    await cp(resolve(source), join(folder, 'work'), { recursive: true })
    await writeFile(join(folder, 'terraform.rc'), '')
    const terraform = new Terraform(folder, access)
    const { code, said } = await terraform.run('init', `-plugin-dir=${pluginFolder()}`)
    if (code !== 0) throw new Error(said)
    return terraform
  }

  /** Adds a file to the configuration, or writes it anew. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.#folder, 'work', name), text)
  }

  async run(...args: readonly string[]): Promise<TerraformEnd> {
    const options = { cwd: join(this.#folder, 'work'), env: this.#env, timeout: callTimeoutMs }
    return new Promise(done => {
      execFile('terraform', [args[0]!, '-no-color', ...args.slice(1)], options, (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1
        done({ code, said: `${stdout}${stderr}`.replaceAll(/^[│╷╵] ?/gm, '') })
      })
    })
  }
}
