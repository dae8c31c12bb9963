// Emits the published package into dist/: JavaScript beside which no source is needed.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

process.chdir(join(import.meta.dirname, '..'))
rmSync('dist', { recursive: true, force: true })

const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit'
})
if (tsc.status !== 0) process.exit(1)

for (const entry of globSync('src/**/*', { withFileTypes: true })) {
  if (!entry.isFile() || entry.name.endsWith('.ts')) continue
  const from = join(entry.parentPath, entry.name)
  const to = join('dist', relative('src', from))
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

chmodSync('dist/app/main.js', 0o755)

// tsc rewrites imports, but not the address of a thread or child process: that has to ask for its own extension.
const stale = globSync('dist/**/*.js').filter(file =>
  /new URL\(\s*['"`][^'"`]+\.ts['"`]/.test(readFileSync(file, 'utf8'))
)
if (stale.length > 0) {
  console.error(`these name a .ts file that the package does not hold: ${stale.join(', ')}`)
  process.exit(1)
}
