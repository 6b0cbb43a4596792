import { describe, expect, it } from 'vitest'
import { formatMailbox, formatReversePath } from '../../src/core/address.ts'
import { type MailCommand, parseCommandLine, parseMail, parseRcpt, type RcptCommand } from '../../src/smtp/command.ts'

/** What was understood, in one line; or the reply's code and status. */
function mail(argument: string): string {
  const parsed = parseMail(argument)
  if (parsed.kind === 'refused') return parsed.reply.lines[0].slice(0, 5).replace(/^/, `${parsed.reply.code} `)
  return describeMail(parsed.command)
}
function describeMail(command: MailCommand): string {
  const words = [formatReversePath(command.reversePath)]
  if (command.sizeOctets !== null) words.push(`size=${command.sizeOctets}`)
  if (command.body !== '7bit') words.push(command.body)
  if (command.smtputf8) words.push('utf8')
  if (command.requireTls) words.push('tls')
  if (command.envelopeId !== null) words.push(`envid=${command.envelopeId}`)
  if (command.returnContent !== null) words.push(command.returnContent)
  if (command.auth !== null) words.push(`auth=${command.auth}`)
  return words.join(' ')
}
function rcpt(argument: string, smtputf8 = false): string {
  const parsed = parseRcpt(argument, smtputf8)
  if (parsed.kind === 'refused') return `${parsed.reply.code} ${parsed.reply.lines[0].slice(0, 5)}`
  return describeRcpt(parsed.command)
}
function describeRcpt(command: RcptCommand): string {
  const words = [command.forwardPath === 'postmaster' ? 'postmaster' : formatMailbox(command.forwardPath)]
  if (command.notify !== null) words.push(`notify=${command.notify}`)
  if (command.originalRecipient !== null) words.push(`orcpt=${command.originalRecipient}`)
  return words.join(' ')
}

describe('parseCommandLine', () => {
  it.each([
    ['EHLO a', 'EHLO', 'a'],
    ['ehlo a', 'EHLO', 'a'],
    ['MaIl FROM:<>', 'MAIL', 'FROM:<>'],
    ['DATA', 'DATA', ''],
    ['DATA   ', 'DATA', ''],
    ['NOOP some text', 'NOOP', 'some text'],
    ['BDAT 10 LAST', 'unsupported', '10 LAST'],
    ['XCLIENT ADDR=1.2.3.4', 'unsupported', 'ADDR=1.2.3.4'],
    ['POST / HTTP/1.1', 'http', '/ HTTP/1.1'],
    ['', 'unknown', ''],
    [' DATA', 'unknown', 'DATA'],
    ['DATAX', 'unknown', ''],
    ['__proto__', 'unknown', ''],
    ['constructor x', 'unknown', 'x'],
  ])('%j is %s', (line, verb, argument) => {
    expect(parseCommandLine(line)).toEqual({ verb, argument })
  })
})

describe('parseMail', () => {
  const cases: readonly (readonly [argument: string, result: string])[] = [
    ['FROM:<u@y>', 'u@y'],
    ['from:<u@y>', 'u@y'],
    ['FROM: <u@y>', 'u@y'],
    ['FROM:<>', '<>'],
    ['FROM:<@a,@b:u@y>', 'u@y'],
    ['FROM:<"a b"@y> SIZE=10', '"a b"@y size=10'],
    ['FROM:<"a> SIZE=1"@y>', '"a> SIZE=1"@y'],
    ['FROM:<u@y> SIZE=10 BODY=8BITMIME SMTPUTF8', 'u@y size=10 8bitmime utf8'],
    ['FROM:<u@y> size=0 body=7bit', 'u@y size=0'],
    ['FROM:<u@y>  SIZE=10   BODY=7BIT', 'u@y size=10'],
    ['FROM:<u@y> RET=HDRS ENVID=QQ+2B314159', 'u@y envid=QQ+2B314159 headers'],
    ['FROM:<u@y> ret=full', 'u@y full'],
    ['FROM:<u@y> AUTH=<>', 'u@y auth=<>'],
    ['FROM:<u@y> AUTH=e+3Dmc2@example.com', 'u@y auth=e+3Dmc2@example.com'],
    ['FROM:<u@y> REQUIRETLS', 'u@y tls'],
    ['FROM:<ü@y> SMTPUTF8', 'ü@y utf8'],
    ['FROM:<u@y> SIZE=99999999999999999999', 'u@y size=100000000000000000000'],
    ['FROM:<ü@y>', '553 5.6.7'],
    ['FROM:u@y', '501 5.5.4'],
    ['FROM <u@y>', '501 5.5.4'],
    ['TO:<u@y>', '501 5.5.4'],
    ['', '501 5.5.4'],
    ['FROM:', '501 5.5.4'],
    ['FROM:  <u@y>', '501 5.5.4'],
    ['FROM:<u>', '501 5.1.7'],
    ['FROM:<postmaster>', '501 5.1.7'],
    ['FROM:<u@y', '501 5.1.7'],
    ['FROM:<u@y>>', '501 5.1.7'],
    ['FROM:<u@y>SIZE=1', '501 5.1.7'],
    ['FROM:<u@y><v@z>', '501 5.1.7'],
    ['FROM:<u@y\0>', '501 5.1.7'],
    ['FROM:<u@y> SIZE', '501 5.5.4'],
    ['FROM:<u@y> SIZE=', '501 5.5.4'],
    ['FROM:<u@y> SIZE=-1', '501 5.5.4'],
    ['FROM:<u@y> SIZE=1e30', '501 5.5.4'],
    ['FROM:<u@y> SIZE=1 2', '555 5.5.4'],
    ['FROM:<u@y> SIZE=0x10', '501 5.5.4'],
    ['FROM:<u@y> SIZE=123456789012345678901', '501 5.5.4'],
    ['FROM:<u@y> SIZE=1 SIZE=2', '501 5.5.4'],
    ['FROM:<u@y> BODY=BINARYMIME', '555 5.5.4'],
    ['FROM:<u@y> BODY=9BIT', '501 5.5.4'],
    ['FROM:<u@y> BODY', '501 5.5.4'],
    ['FROM:<u@y> SMTPUTF8=YES', '501 5.5.4'],
    ['FROM:<u@y> RET=ALL', '501 5.5.4'],
    ['FROM:<u@y> ENVID=', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a+00b', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a+0D+0A', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a+GG', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a+', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a+7F', '501 5.5.4'],
    ['FROM:<u@y> ENVID=a=b', '501 5.5.4'],
    [`FROM:<u@y> ENVID=${'a'.repeat(101)}`, '501 5.5.4'],
    ['FROM:<u@y> AUTH=', '501 5.5.4'],
    ['FROM:<u@y> AUTH=a=b', '501 5.5.4'],
    ['FROM:<u@y> HOLDFOR=100', '555 5.5.4'],
    ['FROM:<u@y> XOORG=a', '555 5.5.4'],
    ['FROM:<u@y> __proto__=a', '555 5.5.4'],
    ['FROM:<u@y> =a', '555 5.5.4'],
    ['FROM:<u@y> NOTIFY=NEVER', '555 5.5.4'],
  ]
  it.each(cases)('%s: %s', (argument, result) => {
    expect(mail(argument)).toBe(result)
  })
})

describe('parseRcpt', () => {
  const cases: readonly (readonly [argument: string, result: string])[] = [
    ['TO:<u@y>', 'u@y'],
    ['to: <u@Y>', 'u@y'],
    ['TO:<@a:u@y>', 'u@y'],
    ['TO:<postmaster>', 'postmaster'],
    ['TO:<PostMaster> NOTIFY=NEVER', 'postmaster notify=never'],
    ['TO:<u@y> NOTIFY=SUCCESS,failure,Delay', 'u@y notify=success,failure,delay'],
    ['TO:<u@y> ORCPT=rfc822;u+2Bx@y', 'u@y orcpt=rfc822;u+2Bx@y'],
    ['TO:<u@y> ORCPT=utf-8;u\\x{FC}@y', 'u@y orcpt=utf-8;u\\x{FC}@y'],
    ['TO:<>', '501 5.1.3'],
    ['TO:<u>', '501 5.1.3'],
    ['TO:<u@y> NOTIFY=', '501 5.5.4'],
    ['TO:<u@y> NOTIFY', '501 5.5.4'],
    ['TO:<u@y> NOTIFY=NEVER,DELAY', '501 5.5.4'],
    ['TO:<u@y> NOTIFY=DELAY,DELAY', '501 5.5.4'],
    ['TO:<u@y> NOTIFY=ALWAYS', '501 5.5.4'],
    ['TO:<u@y> ORCPT=u@y', '501 5.5.4'],
    ['TO:<u@y> ORCPT=rfc822;', '501 5.5.4'],
    ['TO:<u@y> ORCPT=rfc822;u+00@y', '501 5.5.4'],
    ['TO:<u@y> ORCPT=rfc822;u+0A@y', '501 5.5.4'],
    ['TO:<u@y> ORCPT=rfc822;u=@y', '501 5.5.4'],
    [`TO:<u@y> ORCPT=rfc822;${'a'.repeat(500)}`, '501 5.5.4'],
    ['TO:<u@y> SIZE=1', '555 5.5.4'],
    ['TO:<ü@y>', '553 5.6.7'],
    ['TO:<u@y> ORCPT=utf-8;ü@y', '501 5.5.4'],
  ]
  it.each(cases)('%s: %s', (argument, result) => {
    expect(rcpt(argument)).toBe(result)
  })
  it('takes letters outside ASCII when MAIL said SMTPUTF8', () => {
    expect(rcpt('TO:<ü@y>', true)).toBe('ü@y')
    expect(rcpt('TO:<u@y> ORCPT=utf-8;ü@y', true)).toBe('u@y orcpt=utf-8;ü@y')
  })
})

describe('addresses that relay probes use (L01)', () => {
  const probes: readonly (readonly [path: string, result: string])[] = [
    ['<u%ext@local>', 'u%ext@local'],
    ['<u%ext>', '501 5.1.3'],
    ['<ext!u>', '501 5.1.3'],
    ['<ext!u@local>', 'ext!u@local'],
    ['<@local:u@ext>', 'u@ext'],
    ['<@[127.0.0.1]:u@ext>', 'u@ext'],
    ['<"u@ext">', '501 5.1.3'],
    ['<"u@ext"@local>', '"u@ext"@local'],
    ['<"u%ext"@local>', 'u%ext@local'],
    ['<u@ext@local>', '501 5.1.3'],
    ['<u@[192.0.2.9]>', 'u@[192.0.2.9]'],
    ['<u@[IPv6:::1]>', 'u@[IPv6:::1]'],
    ['<u@ext.>', '501 5.1.3'],
    ['<u@EXT>', 'u@ext'],
    ['<u @ext>', '501 5.1.3'],
    ['<<u@ext>>', '501 5.1.3'],
    ['<u@ext,u@local>', '501 5.1.3'],
    ['<u@ext\0@local>', '501 5.1.3'],
    ['<u(@local)@ext>', '501 5.1.3'],
    ['<u@local(c)@ext>', '501 5.1.3'],
    ['<=?utf-8?q?u=40ext=3E?=@local>', '=?utf-8?q?u=40ext=3E?=@local'],
    ['<Postmaster@>', '501 5.1.3'],
    ['<u@[IPv6:::ffff:127.0.0.1]>', 'u@[IPv6:::ffff:127.0.0.1]'],
    ['u@ext', '501 5.5.4'],
    ['<u@ext>,<v@local>', '501 5.1.3'],
    ['<u@ext', '501 5.1.3'],
    ['u@ext>', '501 5.5.4'],
    ['"u"<u@ext>', '501 5.5.4'],
  ]
  it.each(probes)('RCPT TO:%s: %s', (path, result) => {
    expect(rcpt(`TO:${path}`)).toBe(result)
  })
})
