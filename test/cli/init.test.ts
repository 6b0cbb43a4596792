import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { makeTempFolder } from '../support/temp-folder.ts'
import { read, runInit, warningsOf } from './run-init.ts'

describe('init in a clone, by npx', () => {
  const npx = { env: { npm_command: 'exec' } }
  const flags = ['--type', 'local', '--hostname', 'app.example.com']

  it('as root stays in the folder: nothing goes into the system, and no user is needed', async () => {
    const cwd = makeTempFolder()
    const { stdout, fault } = await runInit(cwd, flags, null, { asRoot: true, ...npx })
    expect(fault).toBeNull()
    expect(stdout).toContain('Wrote postern.yaml\n')
    expect(stdout).toContain('npx postern serve')
    expect(stdout).not.toContain('useradd')
    expect(parse(read(cwd))).toMatchObject({ user: 'root', listen: ['smtp://127.0.0.1:2525'] })
    expect(read(cwd)).toContain('# For a try only.')
    expect(warningsOf(cwd)).toEqual([])
  })
  it('names no user for anybody else', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, flags, null, npx)
    expect(parse(read(cwd))).not.toHaveProperty('user')
  })
  it('writes for the system where a file is named', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, [...flags, '--output', 'system.yaml'], null, { asRoot: true, ...npx })
    const values = parse(read(cwd, 'system.yaml'))
    expect(values).not.toHaveProperty('user')
    expect(values).toMatchObject({ listen: ['smtp://127.0.0.1:25', 'smtp://[::1]:25'] })
  })
})

describe('init by flags', () => {
  it.each([
    ['--relay', 'smtp.example.net'],
    ['--username', 'mail@example.com'],
    ['--tls', 'verify'],
  ])('refuses %s where no relay is used', async (flag, value) => {
    const cwd = makeTempFolder()
    const { fault } = await runInit(cwd, ['--type', 'internet', '--hostname', 'app.example.com', flag, value], null)
    expect(fault).toMatchObject({ message: `${flag} means nothing with --type internet` })
    expect(existsSync(join(cwd, 'postern.yaml'))).toBe(false)
  })

  it('internet: says that mail wants to be signed, and how to see what others see', async () => {
    const { stdout } = await runInit(makeTempFolder(), ['--type', 'internet', '--hostname', 'app.example.com'], null)
    expect(stdout).toContain('postern dkim create DOMAIN')
    expect(stdout).toContain('postern doctor --domain DOMAIN')
  })

  it('smarthost: writes a commented file that passes the check, and the password apart, closed', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'pw'), 'hunter2\n')
    const flags = [
      '--type',
      'smarthost',
      '--hostname',
      'app.example.com',
      '--relay',
      '[smtp.example.net]:587',
      '--username',
      'mail@example.com',
      '--password-file',
      'pw',
    ]
    const { stdout, fault } = await runInit(cwd, flags)
    expect(fault).toBeNull()
    expect(stdout).toContain('Wrote postern.yaml\nWrote secrets/smarthost (the password, mode 0600)\n')
    // Relays often take nothing but the address of the login.
    expect(stdout).toContain('postern test --from mail@example.com --to ')
    expect(stdout).toContain('postern config check')
    expect(stdout).not.toContain('hunter2')
    expect(read(cwd)).not.toContain('hunter2')
    expect(read(cwd)).toMatchInlineSnapshot(`
      "# Postern, written by: postern init --type smarthost
      # All keys with their defaults: docs/configuration.md, or: postern config defaults
      # After a change: postern config check && postern reload

      # The full name of this machine. Other servers want to see it, and to find it in DNS.
      hostname: app.example.com

      # Where the applications hand mail in.
      listen:
        - smtp://127.0.0.1:2525

      # The server that takes our mail and delivers it.
      relays:
        smarthost:
          host: "[smtp.example.net]:587"
          # none; may: TLS if offered; encrypt: TLS or wait; verify: TLS with the right certificate or wait.
          tls: verify
          credentials:
            main:
              username: mail@example.com
              # Only a reference: the password is in that file, mode 0600.
              password:
                file: secrets/smarthost

      # Mail for users of this machine: for localhost and app.example.com. Mail for others there is refused.
      # It goes into ~/Maildir; with mailbox: { format: mbox } into /var/mail/USER.
      local: {}

      # Where mail goes; the first match decides. To see why: postern route explain FROM TO
      routes:
        # Nobody was named for root's mail, such as cron's: it is kept here, to be read with postern captured list.
        # Better name somebody: postern config set local.root you@example.com
        - to: [root@app.example.com, root@localhost]
          via: capture
        - via: smarthost

      # More, with the defaults:
      # retry: { min: 5m, max: 1h, lifetime: 5d }
      # delayNoticeAfter: 4h
      # limits: { messageSize: 50 MB }
      # retention: { history: 30d, content: 1d, contentSize: 256 MB, captured: 14d }
      # log: { level: info }
      # Keys that sign your mail (DKIM) come here with: postern dkim create example.com
      "
    `)
    expect(read(cwd, 'secrets/smarthost')).toBe('hunter2\n')
    expect(statSync(join(cwd, 'secrets/smarthost')).mode & 0o777).toBe(0o600)
    expect(statSync(join(cwd, 'secrets')).mode & 0o777).toBe(0o711)
    expect(warningsOf(cwd)).toEqual([])
  })

  it('satellite: a relay that knows us by our address', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, ['--type', 'satellite', '--hostname', 'app.example.com', '--relay', 'relay.example.com'])
    expect(parse(read(cwd)).relays).toEqual({ smarthost: { host: 'relay.example.com:25', tls: 'may' } })
    expect(read(cwd)).toContain('    # For a relay that wants a login:\n    # credentials:\n')
    expect(existsSync(join(cwd, 'secrets'))).toBe(false)
    expect(warningsOf(cwd)).toEqual([])
  })

  it("internet: mail goes straight to the recipients' servers", async () => {
    const cwd = makeTempFolder()
    expect((await runInit(cwd, ['--type', 'internet', '--hostname', 'app.example.com'])).fault).toBeNull()
    expect(parse(read(cwd)).routes.at(-1)).toEqual({ via: 'mx' })
    expect(read(cwd)).toContain('postern doctor')
    expect(warningsOf(cwd)).toEqual([])
  })

  it('local: nothing leaves the machine', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, ['--type', 'local', '--hostname', 'app.example.com'])
    expect(parse(read(cwd))).toEqual({
      hostname: 'app.example.com',
      listen: ['smtp://127.0.0.1:2525'],
      local: {},
      routes: [{ to: ['root@app.example.com', 'root@localhost'], via: 'capture' }, { to: ['localhost', 'app.example.com'], via: 'local' }, { via: 'capture' }],
    })
    expect(warningsOf(cwd)).toEqual([])
  })

  it('none: writes nothing', async () => {
    const cwd = makeTempFolder()
    const { stdout } = await runInit(cwd, ['--type', 'none'])
    expect(stdout).toMatch(/^Nothing was written\./)
    expect(existsSync(join(cwd, 'postern.yaml'))).toBe(false)
  })

  it('listens where it is told, for the networks it is told', async () => {
    const cwd = makeTempFolder()
    const flags = [
      '--type',
      'local',
      '--hostname',
      'app.example.com',
      '--listen',
      'smtp://127.0.0.1:25',
      'smtp://10.0.0.1:25',
      '--networks',
      '10.0.0.0/8',
      '--output',
      'conf/p.yaml',
      '--data',
      'queue',
    ]
    expect((await runInit(cwd, flags)).stdout).toContain('Wrote conf/p.yaml\n')
    expect(parse(read(cwd, 'conf/p.yaml'))).toMatchObject({
      listen: ['smtp://127.0.0.1:25', 'smtp://10.0.0.1:25'],
      networks: ['127.0.0.0/8', '::1/128', '10.0.0.0/8'],
      data: join(cwd, 'queue'),
    })
    expect(warningsOf(cwd, 'conf/p.yaml')).toEqual([])
  })

  it('takes the password from standard input, and none as an argument', async () => {
    const cwd = makeTempFolder()
    const flags = ['--type', 'smarthost', '--hostname', 'app.example.com', '--relay', 'a.example.com', '--username', 'u']
    expect((await runInit(cwd, [...flags, '--password-file', '-'], null, { input: 'hunter2\n' })).fault).toBeNull()
    expect(read(cwd, 'secrets/smarthost')).toBe('hunter2\n')
    expect(parse(read(cwd)).relays.smarthost.host).toBe('a.example.com:587')
    expect((await runInit(makeTempFolder(), flags)).fault).toMatchObject({ exitCode: 2, message: '--password-file is missing, and nobody can be asked here' })
  })

  it('tells programs what it wrote', async () => {
    const cwd = makeTempFolder()
    const { stdout } = await runInit(cwd, ['--type', 'local', '--hostname', 'app.example.com', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ type: 'local', file: join(cwd, 'postern.yaml'), secretFile: null })
  })

  it('as root writes for the system', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, ['--type', 'local', '--hostname', 'app.example.com', '--output', 'p.yaml'], null, { asRoot: true })
    expect(parse(read(cwd, 'p.yaml')).listen).toEqual(['smtp://127.0.0.1:25', 'smtp://[::1]:25'])
  })
})

describe('init refuses', () => {
  it('to overwrite, unless forced', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'postern.yaml'), 'mine')
    const flags = ['--type', 'local', '--hostname', 'app.example.com']
    expect((await runInit(cwd, flags)).fault).toMatchObject({ exitCode: 2, code: 'file-exists', message: 'postern.yaml is there already; nothing was written' })
    expect(read(cwd)).toBe('mine')
    expect((await runInit(cwd, [...flags, '--force'])).fault).toBeNull()
    expect(read(cwd)).toContain('hostname: app.example.com')
  })

  it.each([
    [['--type', 'mailhub'], '--type "mailhub" is not allowed; one of internet, smarthost, satellite, local, none'],
    [[], '--type is missing, and nobody can be asked here'],
    [['--type', 'local', '--hostname', 'a b'], '--hostname: A host name has letters, digits, - and dots.'],
    [['--type', 'local', '--hostname', 'a.b', '--root', 'you@example.com'], '--root: nothing leaves this machine: name a user of it, not "you@example.com"'],
    [['--type', 'internet', '--hostname', 'a.b', '--root', 'root'], '--root: "root" is a user of the system, which gets no mail: name a person'],
    [['--type', 'internet', '--hostname', 'a.b', '--root', 'nobody'], '--root: "nobody" is a user of the system, which gets no mail: name a person'],
    [['--type', 'internet', '--hostname', 'a.b', '--root', 'eve'], '--root: there is no user "eve" on this machine; a user, or an address'],
    [['--type', 'internet', '--hostname', 'a.b', '--root', 'a b@c'], '--root: "a b@c" is no address'],
    [['--type', 'smarthost', '--hostname', 'a.b'], '--relay is missing, and nobody can be asked here'],
    [['--type', 'smarthost', '--hostname', 'a.b', '--relay', 'a:b:c'], '--relay: "a:b:c" is no host; HOST, HOST:PORT or [IPV6]:PORT'],
    [['--type', 'smarthost', '--hostname', 'a.b', '--relay', 'a', '--tls', 'yes'], '--tls "yes" is not allowed; one of verify, encrypt, may, none'],
    [['--type', 'smarthost', '--hostname', 'a.b', '--relay', 'a', '--username', 'u', '--tls', 'none'], 'a password is not sent without TLS'],
    [
      ['--type', 'local', '--hostname', 'a.b', '--listen', 'localhost:25'],
      '--listen: "localhost:25" is no address to listen on; smtp://ADDRESS:PORT or smtps://ADDRESS:PORT',
    ],
    [
      ['--type', 'local', '--hostname', 'a.b', '--networks', '10.1.0.0/8'],
      '--networks: "10.1.0.0/8" has bits set behind its prefix; a network like 10.1.0.0/16 or fd00::/8, or one address',
    ],
    [
      ['--type', 'local', '--hostname', 'a.b', '--listen', 'smtp://0.0.0.0:25'],
      'listen[0]: smtp://0.0.0.0:25 can be reached from outside, but neither networks nor users say who may use it.',
    ],
  ])('%j', async (flags, message) => {
    const cwd = makeTempFolder()
    const { fault } = await runInit(cwd, flags)
    expect(fault?.message).toContain(message)
    expect(fault?.exitCode).toBe(2)
    expect(existsSync(join(cwd, 'postern.yaml'))).toBe(false)
    expect(existsSync(join(cwd, 'secrets'))).toBe(false)
  })
})

describe('init on a terminal', () => {
  it('asks what Debian asks, and nothing that a flag has said', async () => {
    const cwd = makeTempFolder()
    const answers = {
      'What is Postern to do': 'smarthost',
      'Relay, with port': 'smtp.example.net:587',
      'Login name': 'mail@example.com',
      'TLS to the relay': 'encrypt',
      'Password of mail@example.com': 'hunter2',
      "Who gets mail for root, such as cron's: an address, or a user of this machine": 'bob',
      'Listen on': '(enter)',
    }
    expect((await runInit(cwd, ['--hostname', 'app.example.com'], answers)).fault).toBeNull()
    expect(parse(read(cwd)).relays.smarthost).toMatchObject({
      host: 'smtp.example.net:587',
      tls: 'encrypt',
      credentials: { main: { username: 'mail@example.com' } },
    })
    expect(parse(read(cwd)).local).toEqual({ root: 'bob' })
    expect(read(cwd, 'secrets/smarthost')).toBe('hunter2\n')
  })

  it('asks for networks where somebody outside can reach it', async () => {
    const cwd = makeTempFolder()
    const answers = {
      'full name of this machine': 'app.example.com',
      'Who gets mail for root': '',
      'Listen on': 'smtp://127.0.0.1:25, smtp://10.0.0.1:25',
      'Networks that may hand mail in': '10.0.0.0/8',
    }
    expect((await runInit(cwd, ['--type', 'local'], answers)).fault).toBeNull()
    expect(parse(read(cwd)).networks).toEqual(['127.0.0.0/8', '::1/128', '10.0.0.0/8'])
  })

  it('asks before it overwrites', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'postern.yaml'), 'mine')
    const flags = ['--type', 'local', '--hostname', 'a.b', '--listen', 'smtp://127.0.0.1:2525', '--root', 'bob']
    expect((await runInit(cwd, flags, { 'Overwrite it?': 'no' })).fault?.code).toBe('file-exists')
    expect(read(cwd)).toBe('mine')
    expect((await runInit(cwd, flags, { 'Overwrite it?': 'yes' })).fault).toBeNull()
  })
})
