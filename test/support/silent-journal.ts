/** A journal for tests that do not look at it; spread it to hear a part. */
import type { Journal } from '../../src/ports/journal.ts'

export const SILENT_JOURNAL: Journal = { accepted: () => undefined, attempt: () => undefined, note: () => undefined }
