import { openMemoryStore } from '../support/store-under-test.ts'
import { exerciseQueueStore } from './queue-store.ts'

exerciseQueueStore('memory', openMemoryStore)
