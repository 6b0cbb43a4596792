import { openMemoryStore } from '../support/store-under-test.ts'
import { exerciseQueueAdmin } from './queue-admin.ts'

exerciseQueueAdmin('memory', openMemoryStore)
