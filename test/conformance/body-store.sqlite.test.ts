import { openSqliteStore } from '../support/store-under-test.ts'
import { exerciseBodyStore } from './body-store.ts'

exerciseBodyStore('sqlite', openSqliteStore)
