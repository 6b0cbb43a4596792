import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createKeptFile } from '../../src/store/kept-file.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

it('gives back what was written last, to its owner only', async () => {
  const path = join(makeTempFolder(), 'kept.json')
  const kept = createKeptFile(path)
  expect(await kept.read()).toBeNull()
  await Promise.all([kept.write('one'), kept.write('two'), kept.write('three')])
  expect(await createKeptFile(path).read()).toBe('three')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})
it('leaves the old text when the new one cannot be written, and nothing beside it', async () => {
  const folder = makeTempFolder()
  const path = join(folder, 'kept.json')
  const kept = createKeptFile(path)
  await kept.write('old')
  // A folder in the way of the rename's source.
  mkdirSync(`${path}.new`)
  await expect(kept.write('new')).rejects.toThrow()
  expect(readFileSync(path, 'utf8')).toBe('old')
  const other = createKeptFile(join(folder, 'absent', 'kept.json'))
  await expect(other.write('x')).rejects.toThrow()
  expect(readdirSync(folder).sort()).toContain('kept.json')
})
it('reads over a half-written file beside it', async () => {
  const path = join(makeTempFolder(), 'kept.json')
  writeFileSync(`${path}.new`, 'half')
  const kept = createKeptFile(path)
  await kept.write('whole')
  expect(await kept.read()).toBe('whole')
})
