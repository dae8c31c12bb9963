import { posix } from 'node:path'
import { importsOf, type Import } from './imports.ts'

/** Which room may import which. A room may always import itself; what a room is stands in DESIGN.md. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core'],
  poller: ['core', 'ports'],
  fleet: ['core', 'ports'],
  control: ['core', 'ports'],
  adapters: ['core', 'ports'],
  devbroker: [],
  app: ['core', 'ports', 'poller', 'fleet', 'control', 'adapters', 'devbroker']
}

/** Packages that one folder alone may import, so that replacing one stays a matter of that folder. */
export const fenced: Readonly<Record<string, string>> = { '@platformatic/kafka': 'src/adapters/kafka/' }

/**
 * What breaks the rules in one source, each as a sentence naming file, import and rule. `file` starts with `src/`;
 * `packages` are those that users get (dependencies, not devDependencies).
 */
export function violations(file: string, source: string, packages: readonly string[]): string[] {
  const room = file.split('/')[1] ?? ''
  if (mayImport[room] === undefined) return [`${file}: no room is called ${room}`]
  return importsOf(source).flatMap(imported => {
    const broken = imported.specifier.startsWith('.')
      ? brokenByPath(file, room, imported)
      : brokenByPackage(file, room, imported.specifier, packages)
    return broken === undefined ? [] : [`${file} imports ${imported.specifier}: ${broken}`]
  })
}

function brokenByPath(file: string, room: string, { specifier, typeOnly }: Import): string | undefined {
  const target = posix.join(posix.dirname(file), specifier)
  const [top, targetRoom = '', folder] = target.split('/')
  if (top !== 'src') return 'a source imports nothing outside src'
  if (!specifier.endsWith('.ts')) return 'imports of ours name the .ts file'
  if (targetRoom === room) {
    const own = file.split('/')[2]
    return room === 'adapters' && folder !== own ? 'an outside system does not know another' : undefined
  }
  if (!mayImport[room]!.includes(targetRoom)) return `${room} may not import ${targetRoom}`
  return room === 'ports' && !typeOnly ? 'ports import core by type only' : undefined
}

function brokenByPackage(
  file: string,
  room: string,
  specifier: string,
  packages: readonly string[]
): string | undefined {
  // Decisions and their data: no I/O, so that a seeded simulation can run them. Ports are interfaces.
  if (room === 'core' || room === 'ports') return `${room} imports neither node: nor packages`
  if (specifier.startsWith('node:')) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (!packages.includes(name)) return 'no dependency of that name in package.json'
  const only = fenced[name]
  return only !== undefined && !file.startsWith(only) ? `${only} alone may import it` : undefined
}
