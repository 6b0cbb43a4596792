import { describe, expect, it } from 'vitest'
import { makeSubject, only } from './make-subject.ts'

describe('the machine', () => {
  const storage = makeSubject().facts.storage
  if (storage === null) throw new Error('the healthy server has a store')
  it.each([
    ['nfs4', 'network file system'],
    ['overlay', 'container'],
    ['fuse.sshfs', 'network file system'],
    ['fuse.fuse-overlayfs', 'container'],
    ['tmpfs', 'restarts'],
  ])('must not keep the queue on %s', async (fileSystem, says) => {
    expect(await only('store', { facts: { storage: { ...storage, fileSystem } } })).toMatchObject({ state: 'fault', says: expect.stringContaining(says) })
  })
  it('should not trust programs with the queue', async () => {
    expect(await only('store', { facts: { storage: { ...storage, fileSystem: 'fuse.mergerfs' } } })).toMatchObject({ state: 'warning' })
    expect(await only('store', { facts: { storage: { ...storage, fileSystem: 'fuseblk' } } })).toMatchObject({ state: 'ok' })
  })
  it('must let the queue be written', async () => {
    expect(await only('store', { facts: { storage: { ...storage, writeFault: 'EACCES' } } })).toMatchObject({ state: 'fault' })
  })
  it('should not be mounted unsafely', async () => {
    expect(await only('store', { facts: { storage: { ...storage, mountOptions: ['rw', 'nobarrier'] } } })).toMatchObject({ state: 'warning' })
  })
  it.each([
    [{ freeOctets: 10e6 }, 'fault'],
    [{ freeOctets: 900e6 }, 'warning'],
    [{ freeInodes: 3 }, 'fault'],
    [{ freeInodes: 0, totalInodes: 0 }, 'ok'],
  ])('with %j free is %s', async (change, state) => {
    expect(await only('disk', { facts: { storage: { ...storage, ...change } } })).toMatchObject({ state })
  })
  it('should allow enough open files', async () => {
    expect(await only('open-files', { facts: { openFiles: { limit: 1024, wanted: 2000 } } })).toMatchObject({ state: 'warning' })
  })
  it('must not relay for everybody', async () => {
    const listeners = [{ url: 'smtp://0.0.0.0:25', loopback: false, requireAuth: false }]
    expect(await only('listener', { facts: { listeners, networks: ['0.0.0.0/0'] } })).toMatchObject({ state: 'fault' })
    expect(await only('listener', { facts: { listeners, networks: ['128.0.0.0/1'] } })).toMatchObject({ state: 'fault' })
    expect(await only('listener', { facts: { listeners, networks: ['127.0.0.0/8', '10.0.0.0/8'] } })).toMatchObject({
      state: 'warning',
      says: expect.stringContaining('10.0.0.0/8'),
    })
  })
  it('passes on what the configuration warns of', async () => {
    expect(await only('configuration', { facts: { configWarnings: [{ text: 'odd', remedy: 'Mend it.' }] } })).toMatchObject({ state: 'warning', says: 'odd' })
  })
})
