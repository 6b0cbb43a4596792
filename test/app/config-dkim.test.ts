import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { ConfigError, formatProblem } from '../../src/app/config-errors.ts'
import { resolvedConfig, shownConfig } from '../../src/app/config-view.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { keysFor, signingKeys } from '../../src/message/dkim-keyring.ts'
import { KEY_FILES } from '../support/dkim.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function withKeys(yaml: string, files: Readonly<Record<string, string>> = { 'a.pem': 'rsa', 'e.pem': 'ed25519' }) {
  const cwd = makeTempFolder()
  // Run by root on a machine that has the user postern, the files would have another owner than the server.
  writeFileSync(join(cwd, 'postern.yaml'), `hostname: app.example.com\n${yaml}\nuser: root\n`)
  for (const [name, fixture] of Object.entries(files)) {
    copyFileSync(fileURLToPath(new URL(`${fixture}.pem`, KEY_FILES)), join(cwd, name))
    chmodSync(join(cwd, name), 0o600)
  }
  const load = (keepUnreadable = false) => loadConfig({ explicitPath: null, env: {}, cwd, systemPath: null, keepUnreadable })
  const problems = (): readonly string[] => {
    try {
      return load().warnings.map((problem) => `${problem.code} ${formatProblem(problem)}`)
    } catch (fault) {
      if (!(fault instanceof ConfigError)) throw fault
      return fault.problems.map((problem) => `${problem.code} ${formatProblem(problem)}`)
    }
  }
  return { cwd, load, problems }
}
const keyAt = (file: string) => `dkim: { keys: { a.example: [ { selector: s1, key: { file: ${file} } } ] } }`

describe('a DKIM key that cannot be used is an error that says what to do', () => {
  const place = 'postern.yaml:2:46: dkim.keys."a.example"[0].key:'

  it('if it is not there', () => {
    const { problems, cwd } = withKeys(keyAt('b.pem'))
    expect(problems()).toEqual([`secret-missing ${place} "b.pem" does not exist. Write the key into ${cwd}/b.pem and run: chmod 600 ${cwd}/b.pem`])
  })

  it('if others can read it', () => {
    const { problems, cwd } = withKeys(keyAt('a.pem'))
    chmodSync(join(cwd, 'a.pem'), 0o640)
    expect(problems()).toEqual([`secret-exposed ${place} "a.pem" can be read by others (mode 0640). Run: chmod 600 ${cwd}/a.pem`])
  })

  it('if it is too small', () => {
    const { problems } = withKeys(keyAt('a.pem'), { 'a.pem': 'rsa-1024' })
    expect(problems()).toEqual([
      `bad-key ${place} file a.pem holds an RSA key of 1024 bits, and receivers distrust less than 2048. Make one with: postern dkim create DOMAIN.`,
    ])
  })

  it.each([
    ['', 'holds no private key in PEM form, or one with a passphrase. Make one with: postern dkim create DOMAIN.'],
    ['hunter2\n', 'holds no private key in PEM form, or one with a passphrase. Make one with: postern dkim create DOMAIN.'],
  ])('if it holds %j', (text, told) => {
    const { problems, cwd } = withKeys(keyAt('a.pem'))
    writeFileSync(join(cwd, 'a.pem'), text)
    expect(problems()).toEqual([`bad-key ${place} file a.pem ${told}`])
  })

  it('if it is of another kind', () => {
    const { problems, cwd } = withKeys(keyAt('a.pem'))
    copyFileSync(fileURLToPath(new URL('../tls/one.key', KEY_FILES)), join(cwd, 'a.pem'))
    // A clone does not keep the mode.
    chmodSync(join(cwd, 'a.pem'), 0o600)
    expect(problems()).toEqual([`bad-key ${place} file a.pem holds a key of type ec. DKIM knows RSA and Ed25519. Make one with: postern dkim create DOMAIN.`])
  })

  it('and a domain whose keys are all out of time is a warning', () => {
    const { problems } = withKeys('dkim: { keys: { a.example: [ { selector: s1, key: { file: a.pem }, notAfter: 2026-01-01 } ] } }')
    expect(problems()).toEqual([
      'keys-out-of-time postern.yaml:2:17: dkim.keys."a.example": no key is within its notBefore and notAfter: mail from this domain is refused (451 4.7.5). Make a new one: postern dkim rotate a.example',
    ])
  })

  it('but nothing is said of one that waits', () => {
    expect(withKeys('dkim: { keys: { a.example: [ { selector: s1, key: { file: a.pem }, active: false } ] } }').problems()).toEqual([])
  })
})

describe('DKIM settings', () => {
  const YAML = `dkim:
  keys:
    A.Example:
      - { selector: s1, key: { file: a.pem }, notAfter: 2026-06-01 }
      - { selector: s2, key: { file: e.pem }, notBefore: "2026-05-01T12:00Z" }
    bücher.example: [ { selector: s1, key: { file: a.pem } } ]
  default: a.example
  headers: [X-Mine]
  validFor: 10d
  onFailure: send`

  it('hold keys by domains in A-labels', () => {
    const { dkim } = buildSettings(withKeys(YAML).load())
    expect([...dkim.keyring.domains.keys()]).toEqual(['a.example', 'xn--bcher-kva.example'])
    expect(keysFor(dkim.keyring, 'a.example').map(({ selector, type, notBefore, notAfter }) => [selector, type, notBefore, notAfter])).toEqual([
      ['s1', 'rsa', null, Date.UTC(2026, 5, 1)],
      ['s2', 'ed25519', Date.UTC(2026, 4, 1, 12), null],
    ])
    expect(dkim).toMatchObject({ keyring: { defaultDomain: 'a.example', subdomains: true }, validMs: 864_000_000, onFailure: 'send' })
    expect(dkim.names.get('x-mine')).toBe('X-Mine')
  })

  it('are empty without configuration', () => expect(buildSettings(withKeys('').load()).dkim.keyring.domains.size).toBe(0))

  it('keep a key that root could read at the start', () => {
    const { load, cwd } = withKeys(keyAt('a.pem'))
    const first = buildSettings(load())
    // A folder in its place cannot be read as a key, whoever runs the test.
    writeFileSync(join(cwd, 'postern.yaml'), `hostname: app.example.com\n${keyAt('.')}\n`)
    const loaded = load(true)
    expect(loaded.warnings.map(({ code }) => code)).toEqual(['kept-unreadable'])
    const again = buildSettings(loaded, { previous: first })
    expect(signingKeys(keysFor(again.dkim.keyring, 'a.example'), 0)[0]?.key).toBe(first.dkim.keyring.domains.get('a.example')?.[0]?.key)
    expect(() => buildSettings(loaded)).toThrow('dkim key s1 of a.example')
  })

  it('are never shown with a key in them', () => {
    const loaded = withKeys(keyAt('a.pem')).load()
    for (const shown of [shownConfig(loaded), resolvedConfig(loaded), buildSettings(loaded)]) expect(JSON.stringify(shown)).not.toMatch(/PRIVATE|MII/)
    expect(JSON.stringify(buildSettings(loaded).dkim.keyring.domains.get('a.example'))).toContain('"key":{}')
  })
})
