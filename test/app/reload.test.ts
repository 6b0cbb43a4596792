import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { createReloader, createRereader, type Reloader } from '../../src/app/reload.ts'
import { buildSettings } from '../../src/app/settings.ts'
import type { IntakeSettings } from '../../src/intake/settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

interface Bench {
  readonly reloader: Reloader
  readonly file: string
  readonly taken: string[]
  readonly notes: string[]
  readonly write: (yaml: string) => void
  refusal: Error | null
}

/** Null: started without a file. */
function setup(first: string | null = 'limits: { hops: 10 }'): Bench {
  const cwd = makeTempFolder()
  const file = join(cwd, 'postern.yaml')
  const write = (yaml: string): void => writeFileSync(file, `hostname: app.example.com\n${yaml}\n`)
  if (first !== null) write(first)
  const loaded = loadConfig({ explicitPath: null, env: {}, cwd, systemPath: null })
  const taken: string[] = []
  const notes: string[] = []
  const bench: Bench = {
    file,
    taken,
    notes,
    write,
    refusal: null,
    reloader: createReloader({
      initial: buildSettings(loaded),
      read: createRereader(loaded, null),
      configFile: loaded.file,
      intake: {
        async reload(settings: IntakeSettings) {
          if (bench.refusal !== null) throw bench.refusal
          taken.push(`intake ${settings.limits.hops}`)
        },
      } as never,
      delivery: { reload: () => taken.push('delivery') } as never,
      retention: { reload: () => taken.push('retention') } as never,
      dns: { reload: ({ timeoutMs }) => taken.push(`dns ${timeoutMs}`) },
      destinations: { reconfigure: () => undefined },
      tls: { reload: ({ tls }) => taken.push(`tls ${tls.policies.fallback.level}`) },
      signer: { reload: ({ onFailure }) => taken.push(`signer ${onFailure}`) },
      rewriting: { reload: ({ recipients }) => taken.push(`rewriting ${recipients.length}`) },
      journal: {
        note: (_subsystem: string, level: string, text: string) => notes.push(`${level}: ${text}`),
        setLevel: () => undefined,
        reopen: () => undefined,
      } as never,
    }),
  }
  return bench
}

describe('reload', () => {
  it('hands the new settings to all parts and says what has changed', async () => {
    const { reloader, taken, write, file } = setup()
    write('limits: { hops: 20 }')
    expect(await reloader.reload()).toEqual({ changed: ['limits.hops'], needsRestart: [], warnings: [], configFile: file })
    expect(taken).toEqual(['intake 20', 'tls may', 'delivery', 'retention', 'dns 5000', 'signer refuse', 'rewriting 0'])
  })

  it('changes nothing when the file is gone: the defaults would capture the mail', async () => {
    const { reloader, taken, file, notes } = setup()
    const before = reloader.current()
    rmSync(file)
    await expect(reloader.reload()).rejects.toThrow('there is no such file')
    expect(reloader.current()).toBe(before)
    expect(taken).toEqual([])
    expect(notes).toEqual(['error: reload refused, nothing was changed'])
  })

  it('takes a file that came since the start, and then never does without it', async () => {
    const { reloader, file, write } = setup(null)
    expect(reloader.configFile()).toBeNull()
    write('limits: { hops: 20 }')
    expect(await reloader.reload()).toMatchObject({ changed: ['limits.hops', 'hostname'], configFile: file })
    expect(reloader.configFile()).toBe(file)
    rmSync(file)
    await expect(reloader.reload()).rejects.toThrow('there is no such file')
    expect(reloader.configFile()).toBe(file)
  })

  it.each([
    ['an unknown key', 'limits: { hop: 1 }'],
    ['half a file', 'limits: {'],
    ['a route to nowhere', 'routes: [ { via: nowhere } ]'],
  ])('changes nothing with %s', async (_name, yaml) => {
    const { reloader, taken, write } = setup()
    const before = reloader.current()
    write(yaml)
    await expect(reloader.reload()).rejects.toThrow()
    expect(reloader.current()).toBe(before)
    expect(taken).toEqual([])
  })

  it('changes nothing when a listener cannot be opened, and works at the next try', async () => {
    const bench = setup()
    bench.refusal = new Error('cannot listen')
    bench.write('limits: { hops: 30 }')
    await expect(bench.reloader.reload()).rejects.toThrow('cannot listen')
    expect(bench.taken).toEqual([])
    bench.refusal = null
    expect((await bench.reloader.reload()).changed).toEqual(['limits.hops'])
  })

  it('tells what may not be meant so, to whoever asked and in the log', async () => {
    const { reloader, write, notes } = setup()
    write('routes: [ { via: capture }, { to: a.example, via: discard } ]')
    const { warnings } = await reloader.reload()
    expect(warnings).toEqual([expect.stringMatching(/^postern\.yaml:2:29: routes\[1\]: routes\[0\] matches all mail/)])
    expect(notes.at(-1)).toBe(`warn: ${warnings[0]}`)
  })

  it('names what needs a restart until it is as it runs again', async () => {
    const { reloader, write } = setup()
    write('limits: { hops: 10 }\ndata: ./elsewhere')
    expect(await reloader.reload()).toMatchObject({ changed: ['data'], needsRestart: ['data'] })
    expect(await reloader.reload()).toMatchObject({ changed: [], needsRestart: ['data'] })
    write('limits: { hops: 10 }')
    expect(await reloader.reload()).toMatchObject({ changed: ['data'], needsRestart: [] })
  })
})
