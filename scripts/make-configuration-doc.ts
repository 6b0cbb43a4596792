/** Writes docs/configuration.md from the schema. Run it after a change of src/app/config-schema*.ts. */
import { writeFileSync } from 'node:fs'
import { composeConfigDocument } from '../src/app/config-document.ts'

writeFileSync(new URL('../docs/configuration.md', import.meta.url), composeConfigDocument())
