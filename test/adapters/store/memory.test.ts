import { mappingStoreContract } from '../../contracts/mapping-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'

mappingStoreContract('memory', async () => new MemoryStore())
