import { openSqliteStore } from '../support/store-under-test.ts'
import { exerciseQueueStore } from './queue-store.ts'

exerciseQueueStore('sqlite', openSqliteStore)
