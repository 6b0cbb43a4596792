/**
 * Ways to write a recipient that some server once relayed by mistake, or read as somebody else (L01).
 *
 * What stands between `RCPT TO:<` and `>`, and the mailbox that a relay must pass on for a client that
 * may relay; null: no mailbox, refused to everybody.
 */
export const PLAIN_RECIPIENT = 'u@ext.test'

export const RELAY_RECIPIENTS: readonly (readonly [written: string, meant: string | null])[] = [
  [PLAIN_RECIPIENT, 'u@ext.test'],
  ['u@EXT.TEST', 'u@ext.test'],
  ['U@ext.test', 'U@ext.test'],
  ['u+tag@ext.test', 'u+tag@ext.test'],
  // The percent hack, bang paths, source routes: only the last is a spelling of another mailbox.
  ['u%ext.test@postern.test', 'u%ext.test@postern.test'],
  ['u%ext.test@[127.0.0.1]', 'u%ext.test@[127.0.0.1]'],
  ['u%ext.test%postern.test@localhost', 'u%ext.test%postern.test@localhost'],
  ['u%[192.0.2.7]@postern.test', null],
  ['u%ext.test', null],
  ['u@ext.test%postern.test', null],
  ['ext.test!u', null],
  ['ext.test!u@postern.test', 'ext.test!u@postern.test'],
  ['ext.test!u@[127.0.0.1]', 'ext.test!u@[127.0.0.1]'],
  ['@postern.test:u@ext.test', 'u@ext.test'],
  ['@[127.0.0.1]:u@ext.test', 'u@ext.test'],
  ['@a.test,@b.test:u@ext.test', 'u@ext.test'],
  ['@postern.test,u@ext.test', null],
  ['@postern.test:', null],
  ['postern.test:u@ext.test', null],
  // Quoted local parts.
  ['"u@ext.test"', null],
  ['"u%ext.test"', null],
  ['"u@ext.test"@postern.test', '"u@ext.test"@postern.test'],
  ['"u@ext.test"@[127.0.0.1]', '"u@ext.test"@[127.0.0.1]'],
  ['"u\\@ext.test"@postern.test', '"u@ext.test"@postern.test'],
  ['"u%ext.test"@postern.test', 'u%ext.test@postern.test'],
  ['"u"@ext.test', 'u@ext.test'],
  ['"u v"@ext.test', '"u v"@ext.test'],
  ['"u"v"@ext.test', null],
  ['"u@postern.test', null],
  // Two at signs, two addresses, comments.
  ['u@ext.test@postern.test', null],
  ['u@@ext.test', null],
  ['u@ext.test,u@postern.test', null],
  ['u@ext.test;u@postern.test', null],
  ['u@ext.test\0@postern.test', null],
  ['u@ext.test\t@postern.test', null],
  ['u(@postern.test)@ext.test', null],
  ['u@postern.test(c)@ext.test', null],
  ['u@ext.test(@postern.test)', null],
  ['<u@ext.test>', null],
  ['u @ext.test', null],
  [' u@ext.test', null],
  ['u@ ext.test', null],
  // Encoded words that some decode before they look (CVE-style splitting of the local part).
  ['=?utf-8?q?u=40ext.test=3E?=@postern.test', '=?utf-8?q?u=40ext.test=3E?=@postern.test'],
  ['=?x?q?u=40ext.test=3e=00?=foo@postern.test', '=?x?q?u=40ext.test=3e=00?=foo@postern.test'],
  // Literals, names of this machine, malformed domains.
  ['u@[192.0.2.7]', 'u@[192.0.2.7]'],
  ['u@[127.0.0.1]', 'u@[127.0.0.1]'],
  ['u@[IPv6:::1]', 'u@[IPv6:::1]'],
  ['u@[IPv6:::ffff:127.0.0.1]', 'u@[IPv6:::ffff:127.0.0.1]'],
  ['u@[ext.test]', null],
  ['u@[192.0.2.7', null],
  ['u@localhost', 'u@localhost'],
  ['u@postern.test', 'u@postern.test'],
  ['u@ext.test.', null],
  ['u@.ext.test', null],
  ['u@ext..test', null],
  ['u@-ext.test', null],
  ['u@ext.test:25', null],
  ['u@', null],
  ['@ext.test', null],
  ['u', null],
  ['', null],
  ['postmaster', 'postmaster@postern.test'],
  ['PostMaster', 'postmaster@postern.test'],
  ['postmaster@', null],
  // Letters that look like others, without SMTPUTF8: in latin1 these are octets of UTF-8.
  ['u@\xd0\xb5xt.test', null],
  ['u@ext\xef\xbc\x8etest', null],
  ['u\xef\xbc\xa0ext.test@postern.test', null],
  // Never a command, a path or a list.
  ['|cat@postern.test', '|cat@postern.test'],
  ['/etc/passwd@postern.test', '/etc/passwd@postern.test'],
  [':include:/etc/passwd@postern.test', null],
]

const EHLO = 'EHLO bar.test'
const MAIL = 'MAIL FROM:<a@app.test>'

/** Sessions of a foreign client up to its RCPT. */
export const FORGERIES: readonly (readonly string[])[] = [
  ['EHLO localhost', MAIL],
  ['EHLO postern.test', MAIL],
  ['EHLO [127.0.0.1]', MAIL],
  ['EHLO 127.0.0.1', MAIL],
  ['HELO localhost', MAIL],
  [EHLO, 'MAIL FROM:<>'],
  [EHLO, 'MAIL FROM:<postmaster@postern.test>'],
  [EHLO, 'MAIL FROM:<a@localhost>'],
  [EHLO, 'MAIL FROM:<a@[127.0.0.1]>'],
  [EHLO, 'MAIL FROM:<a@app.test> AUTH=app'],
  [EHLO, 'MAIL FROM:<a@app.test> AUTH=<>'],
  [EHLO, 'MAIL FROM:<a@app.test> SIZE=10 BODY=8BITMIME SMTPUTF8'],
  [EHLO, 'XCLIENT ADDR=127.0.0.1 NAME=localhost', EHLO, MAIL],
  [EHLO, 'XCLIENT LOGIN=app', EHLO, MAIL],
  [EHLO, 'XFORWARD ADDR=127.0.0.1 NAME=localhost', MAIL],
  ['PROXY TCP4 127.0.0.1 127.0.0.1 1025 25', EHLO, MAIL],
  ['PROXY UNKNOWN', EHLO, MAIL],
  [EHLO, 'AUTH PLAIN AGFwcAA=', MAIL],
  [EHLO, 'AUTH PLAIN =', MAIL],
  [EHLO, 'AUTH EXTERNAL YXBw', MAIL],
  [EHLO, 'AUTH ANONYMOUS YXBw', MAIL],
  [EHLO, 'AUTH LOGIN YXBw', '*', MAIL],
  [EHLO, 'AUTH CRAM-MD5', '*', MAIL],
  [EHLO, MAIL, EHLO, MAIL],
  [EHLO, 'ETRN ext.test', MAIL],
  [EHLO, 'TURN', MAIL],
  [EHLO, 'VRFY u@ext.test', MAIL],
  [EHLO, MAIL, 'RCPT TO:<u@localhost>'],
  [EHLO, MAIL, 'RCPT TO:<postmaster>'],
]
