import { EmbeddedWorld } from './embedded-world.ts'
import { languageTests } from './local-languages.ts'

languageTests(t => EmbeddedWorld.open(t))
