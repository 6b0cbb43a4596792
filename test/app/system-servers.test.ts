import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createSystemServers } from '../../src/app/system-servers.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

it('the name servers of the system are read again when the file changes, is replaced or goes', async () => {
  const [clock, path] = [createFakeClock(), join(makeTempFolder(), 'resolv.conf')]
  const servers = createSystemServers(clock, path)
  const addresses = async (): Promise<readonly string[]> => {
    await clock.advance(1_000)
    return servers().map(({ address }) => address)
  }
  expect(await addresses()).toEqual(['127.0.0.1'])
  writeFileSync(path, 'nameserver 192.0.2.1\n')
  expect(await addresses()).toEqual(['192.0.2.1'])
  const before = servers()
  await clock.advance(1_000)
  expect(servers()).toBe(before)
  writeFileSync(`${path}.new`, 'nameserver 192.0.2.2\n')
  renameSync(`${path}.new`, path)
  expect(servers()).toBe(before)
  expect(await addresses()).toEqual(['192.0.2.2'])
  rmSync(path)
  expect(await addresses()).toEqual(['127.0.0.1'])
})
