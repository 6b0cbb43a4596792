import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it, vi } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { readCertificatePair } from '../../src/app/config-certificates.ts'
import { ConfigError, formatProblem } from '../../src/app/config-errors.ts'
import { findConfigFile } from '../../src/app/config-locate.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TLS = new URL('../fixtures/tls/', import.meta.url)

function writeConfig(yaml: string): { readonly folder: string; readonly load: (env?: Record<string, string>) => ReturnType<typeof loadConfig> } {
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'postern.yaml'), `hostname: app.example.com\n${yaml}`)
  return { folder, load: (env = {}) => loadConfig({ explicitPath: null, env, cwd: folder, systemPath: null }) }
}
function problemsOf(run: () => unknown): string[] {
  try {
    run()
  } catch (fault) {
    if (fault instanceof ConfigError) return fault.problems.map((problem) => `${problem.code} ${formatProblem(problem)}`)
    throw fault
  }
  throw new Error('nothing was wrong')
}
const relayWith = (password: string): string =>
  `relays:\n  google:\n    host: smtp.example.net:587\n    credentials:\n      jira:\n        username: jira@example.com\n        password: ${password}\n`

describe('the file is looked for', () => {
  const folder = (...names: string[]): string => {
    const path = makeTempFolder()
    for (const name of names) writeFileSync(join(path, name), '')
    return path
  }

  it('at --config before POSTERN_CONFIG before ./postern.yaml before /etc', () => {
    const cwd = folder('postern.yaml', 'system.yaml')
    const systemPath = join(cwd, 'system.yaml')
    const env = { POSTERN_CONFIG: 'env.yaml' }
    expect(findConfigFile({ explicitPath: 'asked.yaml', env, cwd, systemPath })).toBe(join(cwd, 'asked.yaml'))
    expect(findConfigFile({ explicitPath: null, env, cwd, systemPath })).toBe(join(cwd, 'env.yaml'))
    expect(findConfigFile({ explicitPath: null, env: {}, cwd, systemPath })).toBe(join(cwd, 'postern.yaml'))
    expect(findConfigFile({ explicitPath: null, env: {}, cwd: folder(), systemPath })).toBe(systemPath)
    expect(findConfigFile({ explicitPath: null, env: {}, cwd: folder(), systemPath: null })).toBeNull()
  })

  it('and one that was asked for must be there', () => {
    const cwd = folder()
    expect(problemsOf(() => loadConfig({ explicitPath: 'postern.yml', env: {}, cwd }))).toEqual([
      'file-missing postern.yml: there is no such file. Make one with: postern init',
    ])
  })

  it('and must be a file of a sensible size', () => {
    const cwd = folder()
    mkdirSync(join(cwd, 'folder'))
    writeFileSync(join(cwd, 'big.yaml'), '#'.repeat(1024 * 1024 + 1))
    expect(problemsOf(() => loadConfig({ explicitPath: 'folder', env: {}, cwd }))).toEqual([
      'file-unreadable folder: the file cannot be read: it is a folder, not a file. Check its owner and mode.',
    ])
    expect(problemsOf(() => loadConfig({ explicitPath: 'big.yaml', env: {}, cwd }))).toEqual([
      'file-too-large big.yaml: the file has 1048577 octets; at most 1048576 are read.',
    ])
  })
})

describe('without a file', () => {
  it('the defaults hold, and nothing leaves the machine', () => {
    const cwd = makeTempFolder()
    const { config, file, folder } = loadConfig({ explicitPath: null, env: {}, cwd, systemPath: null })
    expect(file).toBeNull()
    expect(folder).toBe(cwd)
    expect(config.listen).toEqual(['smtp://127.0.0.1:2525'])
    expect(config.relays).toEqual({})
    expect(config.routes).toBeUndefined()
  })

  it('an empty file, or keys with nothing behind them, mean the same', () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'postern.yaml'), '# nothing yet\nrelays:\n# google:\nroutes:\n')
    expect(loadConfig({ explicitPath: null, env: {}, cwd }).config).toEqual(
      loadConfig({ explicitPath: null, env: {}, cwd: makeTempFolder(), systemPath: null }).config,
    )
  })
})

describe('secrets are only referred to', () => {
  it('a file of one line, closed to others', () => {
    const { folder, load } = writeConfig(relayWith('{ file: secrets/jira }'))
    expect(problemsOf(load)).toEqual([
      `secret-missing postern.yaml:8:9: relays.google.credentials.jira.password: "secrets/jira" does not exist. Write the password into ${folder}/secrets/jira and run: chmod 600 ${folder}/secrets/jira`,
    ])
    mkdirSync(join(folder, 'secrets'))
    writeFileSync(join(folder, 'secrets/jira'), 'hunter2\n', { mode: 0o644 })
    chmodSync(join(folder, 'secrets/jira'), 0o644)
    expect(problemsOf(load)).toEqual([
      `secret-exposed postern.yaml:8:9: relays.google.credentials.jira.password: "secrets/jira" can be read by others (mode 0644). Run: chmod 600 ${folder}/secrets/jira`,
    ])
    chmodSync(join(folder, 'secrets/jira'), 0o600)
    expect(load().warnings.filter(({ code }) => code !== 'owner-differs')).toEqual([])
    for (const [content, why] of [
      ['', 'is empty'],
      ['hunter2\nhunter2\n', 'is more than one line'],
    ]) {
      writeFileSync(join(folder, 'secrets/jira'), content ?? '')
      expect(problemsOf(load)).toEqual([
        `secret-empty postern.yaml:8:9: relays.google.credentials.jira.password: file secrets/jira ${why}. It must hold the password and nothing else.`,
      ])
    }
  })

  it('what cannot be read is named; at a reload what was read before stays', () => {
    const { folder, load } = writeConfig(relayWith('{ file: jira }'))
    mkdirSync(join(folder, 'jira'))
    expect(problemsOf(load)).toEqual(['secret-unreadable postern.yaml:8:9: relays.google.credentials.jira.password: "jira" is not a file with a password.'])
    const again = loadConfig({ explicitPath: null, env: {}, cwd: folder, keepUnreadable: true })
    expect(again.warnings.map(({ code }) => code)).toEqual(['kept-unreadable'])
  })

  it('an environment variable', () => {
    const { load } = writeConfig(relayWith('{ env: JIRA_PASSWORD }'))
    expect(problemsOf(load)).toEqual([
      'secret-missing postern.yaml:8:9: relays.google.credentials.jira.password: environment variable JIRA_PASSWORD is not set. Set it where Postern is started, for example with EnvironmentFile= in its systemd unit.',
    ])
    expect(load({ JIRA_PASSWORD: 'hunter2' }).warnings).toEqual([])
  })

  it('a systemd credential, whatever its mode', () => {
    const { folder, load } = writeConfig(relayWith('{ credential: jira }'))
    expect(problemsOf(load)).toEqual([
      'secret-missing postern.yaml:8:9: relays.google.credentials.jira.password: systemd credential jira is not there: $CREDENTIALS_DIRECTORY is not set. Start Postern by a systemd unit with LoadCredential=jira:/path/to/file.',
    ])
    writeFileSync(join(folder, 'jira'), 'hunter2', { mode: 0o440 })
    expect(load({ CREDENTIALS_DIRECTORY: folder }).warnings).toEqual([])
  })
})

describe('certificates are looked at', () => {
  const withTls = (cert: string, key: string) => {
    const written = writeConfig(`tls: { cert: ${cert}, key: ${key} }\n`)
    cpSync(TLS, written.folder, { recursive: true })
    writeFileSync(join(written.folder, 'junk.pem'), 'junk')
    return written
  }

  it('and a good pair passes', () => expect(withTls('one.pem', 'one.key').load().warnings).toEqual([]))

  it.each([
    [
      'one.pem',
      'two.key',
      'tls-mismatch postern.yaml:2:27: tls.key: the key "two.key" does not belong to the certificate "one.pem". The certificate of the server must come first in its file.',
    ],
    [
      'none.pem',
      'one.key',
      'tls-file-missing postern.yaml:2:14: tls.cert: "none.pem" does not exist. Check the path; relative ones start from the folder of the configuration file.',
    ],
    [
      'one.pem',
      'none.key',
      'tls-file-missing postern.yaml:2:28: tls.key: "none.key" does not exist. Check the path; relative ones start from the folder of the configuration file.',
    ],
    ['junk.pem', 'one.key', 'tls-invalid postern.yaml:2:14: tls.cert: "junk.pem" holds no certificate in PEM form.'],
    [
      'one.pem',
      'junk.pem',
      'tls-invalid postern.yaml:2:28: tls.key: "junk.pem" holds no private key in PEM form, or one with a passphrase. Remove the passphrase: openssl pkey -in OLD -out NEW.',
    ],
  ])('%s with %s is refused', (cert, key, text) => {
    expect(problemsOf(() => withTls(cert, key).load()).map((told) => told.replace(/:2:\d+:/, ':'))).toEqual([text.replace(/:2:\d+:/, ':')])
  })

  it('one that is not valid now is warned of', () => {
    const at = (date: string) =>
      readCertificatePair({ cert: 'one.pem', key: 'one.key' }, TLS.pathname, Date.parse(date)).faults.map(({ fault }) => [
        fault.code,
        fault.message.replace(/\d{4}-\d\d-\d\d/, 'DATE'),
      ])
    expect(at('2200-01-01')).toEqual([['tls-expired', 'the certificate "one.pem" expired on DATE']])
    expect(at('2001-01-01')).toEqual([['tls-expired', 'the certificate "one.pem" is not valid before DATE']])
  })

  it('and so are the authorities of a relay', () => {
    const { folder, load } = writeConfig('relays:\n  g:\n    host: a.example.com\n    tls: { level: verify, ca: junk.pem }\n')
    expect(problemsOf(load)[0]).toMatch(/^tls-file-missing postern.yaml:5:31: relays.g.tls.ca: /)
    writeFileSync(join(folder, 'junk.pem'), 'junk')
    expect(problemsOf(load)).toEqual(['tls-invalid postern.yaml:5:31: relays.g.tls.ca: "junk.pem" holds no certificate in PEM form.'])
  })
})

it('a mapping as a key is told in our words only', () => {
  const warned = vi.spyOn(process, 'emitWarning')
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), '{ hunter2: x }: y\n')
  expect(() => loadConfig({ explicitPath: null, env: {}, cwd, systemPath: null })).toThrow('there is no such key')
  expect(warned).not.toHaveBeenCalled()
})

it('an admin socket whose path is too long is refused', () => {
  const { load } = writeConfig(`admin: /run/${'x'.repeat(120)}.sock\n`)
  expect(problemsOf(load)).toEqual([
    'socket-too-long postern.yaml:2:8: admin: the path of the admin socket has 130 octets; at most 107. Set admin: to a shorter path, such as /run/postern/postern.sock.',
  ])
})

it('a host name that is not fully qualified is warned of', () => {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), 'hostname: app')
  expect(loadConfig({ explicitPath: null, env: {}, cwd }).warnings.map(formatProblem)).toEqual([
    'postern.yaml:1:11: hostname: "app" is not a fully qualified name. Set hostname: to the full name of this machine, such as app.example.com; many servers refuse others.',
  ])
})

describe('the examples of the documents', () => {
  const folder = new URL('../../docs/examples/', import.meta.url)
  it.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s passes without a warning', (name) => {
    const path = new URL(name, folder).pathname
    expect(readFileSync(path, 'utf8').startsWith('# ')).toBe(true)
    expect(loadConfig({ explicitPath: path, env: {}, cwd: '/', checkFiles: false }).warnings).toEqual([])
  })
})
