import { openSqliteStore } from '../support/store-under-test.ts'
import { exerciseQueueAdmin } from './queue-admin.ts'

exerciseQueueAdmin('sqlite', openSqliteStore)
