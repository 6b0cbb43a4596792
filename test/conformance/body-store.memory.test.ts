import { openMemoryStore } from '../support/store-under-test.ts'
import { exerciseBodyStore } from './body-store.ts'

exerciseBodyStore('memory', openMemoryStore)
