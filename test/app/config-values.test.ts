import { describe, expect, it } from 'vitest'
import { formatKeyPath, parseKeyPath } from '../../src/app/config-path.ts'
import { isLoopback, isLoopbackNetwork, parseListener, parseNetwork, parseRelayHost, parseVia } from '../../src/app/config-values.ts'
import { nearest } from '../../src/app/nearest.ts'

const answerOf = <Value>(result: { readonly value: Value } | { readonly fault: unknown }): Value | null => ('value' in result ? result.value : null)

describe('relay hosts', () => {
  it.each([
    ['smtp.example.com', 'smtp.example.com', 25, false],
    ['[smtp.example.com]', 'smtp.example.com', 25, false],
    ['smtp.example.com.', 'smtp.example.com', 25, false],
    ['smtp.example.com:2525', 'smtp.example.com', 2525, false],
    ['[smtp.example.com]:587', 'smtp.example.com', 587, false],
    ['smtp.example.com:submission', 'smtp.example.com', 587, false],
    ['smtp.example.com:submissions', 'smtp.example.com', 465, true],
    ['smtp.example.com:smtps', 'smtp.example.com', 465, true],
    ['smtp.example.com:smtp', 'smtp.example.com', 25, false],
    ['smtp.example.com:465', 'smtp.example.com', 465, true],
    ['[::1]:587', '::1', 587, false],
    ['[2001:db8::1]', '2001:db8::1', 25, false],
    ['127.0.0.1:25', '127.0.0.1', 25, false],
  ])('%s', (text, host, port, implicitTls) => expect(answerOf(parseRelayHost(text))).toEqual({ host, port, implicitTls }))

  it('TLS from the first byte can be said', () => {
    expect(answerOf(parseRelayHost('a', true))).toEqual({ host: 'a', port: 465, implicitTls: true })
    expect(answerOf(parseRelayHost('a:8465', true))).toEqual({ host: 'a', port: 8465, implicitTls: true })
    expect(answerOf(parseRelayHost('a:465', false))).toEqual({ host: 'a', port: 465, implicitTls: false })
  })

  it.each([
    '',
    '::1',
    'a:',
    'a:0',
    'a:65536',
    'a:http',
    'a b',
    'a..b',
    '-a',
    '[a',
    'a]:25',
    '[]',
    '256.1.1.1',
    '1.2.3',
    'a:25:25',
    'user@host',
    'a/b',
    'x'.repeat(64),
    '[fe80::1%eth0]:25',
    'a:25\n',
  ])('%j is refused', (text) => expect(answerOf(parseRelayHost(text))).toBeNull())
})

describe('listeners', () => {
  it.each([
    ['smtp://127.0.0.1:2525', { host: '127.0.0.1', port: 2525, implicitTls: false }],
    ['smtp://[::1]:25', { host: '::1', port: 25, implicitTls: false }],
    ['smtps://0.0.0.0', { host: '0.0.0.0', port: 465, implicitTls: true }],
    ['smtp://localhost', { host: 'localhost', port: 25, implicitTls: false }],
    ['smtp://127.0.0.1:0/', { host: '127.0.0.1', port: 0, implicitTls: false }],
  ])('%s', (text, value) => expect(answerOf(parseListener(text))).toEqual(value))

  it.each([
    '',
    'smtp://',
    '127.0.0.1:25',
    'http://127.0.0.1:25',
    'smtp://::1:25',
    'smtp://127.1:25',
    'smtp://0x7f.0.0.1:25',
    'smtp://a@127.0.0.1',
    'smtp://127.0.0.1:70000',
    'smtp://127.0.0.1:25/x',
    'smtp://[127.0.0.1]:25',
    'smtp://*:25',
  ])('%j is refused', (text) => expect(answerOf(parseListener(text))).toBeNull())

  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
  ])('%s is loopback: %s', (host, expected) => expect(isLoopback(host)).toBe(expected))
})

describe('networks', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['0.0.0.0/0', '0.0.0.0/0'],
  ])('%s', (text, cidr) => expect(answerOf(parseNetwork(text))).toBe(cidr))

  it.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8 ',
    ' 10.0.0.0/8',
    '10.0.0.0/8x',
    '10.0.0.0/08x',
    '10.0.0/8',
    '2001:db8::1/32',
    '::/129',
    'localhost',
    '10.0.0.0/255.0.0.0',
    '*',
  ])('%j is refused', (text) => expect(answerOf(parseNetwork(text))).toBeNull())

  it.each([
    ['127.0.0.0/8', true],
    ['127.0.0.1/32', true],
    ['::1/128', true],
    ['126.0.0.0/7', false],
    ['0.0.0.0/0', false],
    ['::/0', false],
    ['10.0.0.0/8', false],
  ])('%s holds only loopback addresses: %s', (cidr, expected) => expect(isLoopbackNetwork(cidr)).toBe(expected))
})

describe('targets of routes', () => {
  it('are a relay, one of its credentials, mx, hold, discard or capture', () => {
    expect(answerOf(parseVia('google'))).toEqual({ kind: 'relay', relay: 'google', credential: null })
    expect(answerOf(parseVia('google/jira'))).toEqual({ kind: 'relay', relay: 'google', credential: 'jira' })
    for (const kind of ['mx', 'hold', 'discard', 'capture']) expect(answerOf(parseVia(kind))).toEqual({ kind })
    expect(answerOf(parseVia('local'))).toEqual({ kind: 'local', user: null })
    expect(answerOf(parseVia('local/ann'))).toEqual({ kind: 'local', user: 'ann' })
    for (const text of ['', 'mx/x', 'a/b/c', 'a/', '/a', 'hold/x', 'a b']) expect(answerOf(parseVia(text)), text).toBeNull()
  })
})

describe('key paths', () => {
  it.each([
    ['relays.google.tls', ['relays', 'google', 'tls']],
    ['routes[2].via', ['routes', 2, 'via']],
    ['routes.2.via', ['routes', 2, 'via']],
    ['routes[0].header."X.Y"', ['routes', 0, 'header', 'X.Y']],
  ])('%s', (text, path) => expect(parseKeyPath(text)).toEqual(path))

  it('are written so that they can be read', () => {
    for (const path of [['a', 'b'], ['routes', 2, 'via'], ['routes', 0, 'header', 'X.Y'], ['a b']]) expect(parseKeyPath(formatKeyPath(path))).toEqual(path)
  })

  it('that are none are refused', () => {
    for (const text of ['.a', 'a..b', 'a[', 'a[x]', 'a]']) expect(parseKeyPath(text), text).toBeNull()
  })
})

it('the nearest word is found, and a far one is not suggested', () => {
  expect(nearest('lissten', ['listen', 'limits'])).toBe('listen')
  expect(nearest('hsotname', ['hostname'])).toBe('hostname')
  expect(nearest('HOSTNAME', ['hostname'])).toBe('hostname')
  expect(nearest('warning', ['debug', 'warn'])).toBe('warn')
  expect(nearest('mode', ['listen', 'tls', 'user', 'data'])).toBeNull()
  expect(nearest('x', [])).toBeNull()
})
