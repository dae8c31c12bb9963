#!/usr/bin/env node
// Imports nothing before the version is known: an older Node would fail on the syntax of the rest, in words that help nobody.
const oldest = 24
if (Number(process.versions.node.split('.')[0]) < oldest) {
  process.stderr.write(
    `millrace: needs Node.js ${oldest} or newer, but runs under ${process.versions.node} (${process.execPath}).\n` +
      `Install Node.js ${oldest}, or let npm bring it: npx --package=node@${oldest} -- node ${process.argv[1]} ...\n`
  )
  process.exitCode = 2
} else {
  const { runProcess } = await import('./cli/process.ts')
  await runProcess()
}
