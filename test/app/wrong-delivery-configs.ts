/**
 * Relays, routes and YAML with faults, and word for word what is said of each. A warning about the host name is left out.
 */
import type { WrongConfig } from './wrong-config.ts'

export const WRONG_DELIVERY_CONFIGS: readonly WrongConfig[] = [
  [
    'relays: {g: {}}',
    [
      [
        'missing-key',
        'postern.yaml:1:10: relays.g.host: is missing. Add it: Host, or list of hosts to try in order: host, [host], host:port, host:submission, [::1]:587. Without port: 25, or 24 for LMTP. Put brackets in quotes. unix:/run/dovecot/lmtp is a socket file.',
      ],
    ],
  ],
  [
    'relays: {g: {host: "::1"}}',
    [['bad-host', 'postern.yaml:1:20: relays.g.host: "::1" does not say where the address ends; HOST, HOST:PORT or [IPV6]:PORT. Write it as [::1].']],
  ],
  [
    'relays: {g: {host: "a:port"}}',
    [
      [
        'bad-host',
        'postern.yaml:1:20: relays.g.host: "port" is no port or service; HOST, HOST:PORT or [IPV6]:PORT. A number, or one of smtp, submission, submissions, smtps.',
      ],
    ],
  ],
  [
    'relays: {g: {host: "a:0"}}',
    [
      [
        'bad-host',
        'postern.yaml:1:20: relays.g.host: "0" is no port or service; HOST, HOST:PORT or [IPV6]:PORT. A number, or one of smtp, submission, submissions, smtps.',
      ],
    ],
  ],
  [
    'relays: {g: {host: "300.1.1.1"}}',
    [
      [
        'bad-host',
        'postern.yaml:1:20: relays.g.host: "300.1.1.1" is no host name or address; HOST, HOST:PORT or [IPV6]:PORT. For example smtp.example.com:587 or smtp.example.com:submission.',
      ],
    ],
  ],
  ['relays: {g: {host: []}}', [['out-of-range', 'postern.yaml:1:14: relays.g.host: the list is empty; 1 to 20 entries.']]],
  ['relays: {g: {host: 5}}', [['wrong-type', 'postern.yaml:1:20: relays.g.host: a number is not allowed here; text or a list.']]],
  [
    'relays: {g/x: {host: a}}',
    [['bad-name', 'postern.yaml:1:10: relays.g/x: "g/x" is no name; letters, digits, - and _, at most 40, beginning with a letter or digit.']],
  ],
  ['relays: {hold: {host: a}}', [['bad-name', 'postern.yaml:1:10: relays.hold: "hold" has a meaning of its own in routes. Choose another name.']]],
  [
    'relays:\n  google:\n    host: smtp.google.com:587\n    tls: verfy',
    [['not-allowed', 'postern.yaml:4:10: relays.google.tls: "verfy" is not allowed; one of none, may, encrypt, verify. Did you mean "verify"?']],
  ],
  [
    'relays: {g: {host: a, tls: {level: maybe}}}',
    [['not-allowed', 'postern.yaml:1:36: relays.g.tls.level: "maybe" is not allowed; one of none, may, encrypt, verify. Did you mean "may"?']],
  ],
  [
    'relays: {g: {host: "a:465", tls: none}}',
    [['contradiction', 'postern.yaml:1:34: relays.g.tls: tls is none, but the port or implicit: true means TLS. Use level verify, or port 25 or 587.']],
  ],
  [
    'relays: {g: {host: "127.0.0.1:2525"}}',
    [
      [
        'relay-loop',
        'postern.yaml:1:20: relays.g.host: "127.0.0.1:2525" is one of our own listeners: mail would come back to us. Name the real relay, or another port.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a, credentials: {j: {username: j, password: hunter2}}}}',
    [
      [
        'secret-in-file',
        'postern.yaml:1:64: relays.g.credentials.j.password: a password must not stand in this file; { file: PATH }, { env: NAME } or { credential: NAME }. Put it into a file that only Postern can read (chmod 600) and write { file: secrets/NAME } here. Change the password if others have seen this file.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a, credentials: {j: {username: j, password: {file: a, env: b}}}}}',
    [
      [
        'not-allowed',
        'postern.yaml:1:54: relays.g.credentials.j.password: must say in one way where the password is; { file: PATH }, { env: NAME } or { credential: NAME }.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a, credentials: {j: {username: j, password: {hunter2: x}}}}}',
    [
      [
        'not-allowed',
        'postern.yaml:1:54: relays.g.credentials.j.password: must say in one way where the password is; { file: PATH }, { env: NAME } or { credential: NAME }.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a, credentials: {j: {username: j}}}}',
    [
      [
        'missing-key',
        'postern.yaml:1:37: relays.g.credentials.j.password: is missing. Add it: Where the password is; never the password itself. Read at each login, so that a changed file counts at once.',
      ],
    ],
  ],
  ['relays: {g: {host: a, credentials: hunter2}}', [['wrong-type', 'postern.yaml:1:36: relays.g.credentials: must be a mapping, not text.']]],
  [
    'relays: {g: {host: a, tls: none, credentials: {j: {username: j, password: {file: a}, mechanisms: [PLAIN]}}}}',
    [
      [
        'login-impossible',
        'postern.yaml:1:28: relays.g.tls: passwords are sent only inside TLS, and tls is none. Set tls: verify; or, for a relay on this machine, auth: { allowPlaintext: true }.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a, tls: none, auth: {allowPlaintext: true}, credentials: {j: {username: j, password: {file: a}}}}}',
    [['plaintext-login', 'postern.yaml:1:28: relays.g.tls: with tls none and auth.allowPlaintext the password can be read on its way. Set tls: verify.']],
  ],
  [
    'relays: {g: {host: a, credentials: {a: {username: j, password: {file: a}, fallback: true}, fallback: {username: j, password: {file: a}}}}}',
    [['duplicate-fallback', 'postern.yaml:1:23: relays.g.credentials: a and fallback are both the fallback. Set fallback: false on all but one.']],
  ],
  [
    'relays: {g: {host: a, credentials: {a: {username: a@b.c, password: {file: a}}, b: {username: b@b.c, password: {file: a}}}}}',
    [
      [
        'no-fallback',
        'postern.yaml:1:23: relays.g.credentials: mail of senders that none of these is for goes out without login. Set fallback: true on one of them.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a}, h: {host: b}}',
    [['missing-key', 'postern.yaml:1:1: relays: there are 2 relays, but no routes that choose between them. Add routes:, at least: - { via: g }']],
  ],
  [
    'relays: {google: {host: a}}\nroutes: [{via: gogle}]',
    [
      ['unknown-relay', 'postern.yaml:2:16: routes[0].via: there is no relay "gogle"; one of google, mx, hold, discard, capture. Did you mean "google"?'],
      ['relay-unused', 'postern.yaml:1:10: relays.google: no route leads to this relay. Add a route, or remove the relay.'],
    ],
  ],
  ['relays: {g: {host: a}}\nroutes: [{via: g/x}]', [['unknown-credential', 'postern.yaml:2:16: routes[0].via: relay g has no credential "x".']]],
  [
    'relays: {g: {host: a, credentials: {jira: {username: j, password: {file: a}}}}}\nroutes: [{via: g/jria}]',
    [['unknown-credential', 'postern.yaml:2:16: routes[0].via: relay g has no credential "jria"; one of jira. Did you mean "jira"?']],
  ],
  [
    'direct: {ipv4: {source: "2001:db8::1"}}',
    [['contradiction', 'postern.yaml:1:25: direct.ipv4.source: 2001:db8::1 is no IPv4 address. Set it under direct.ipv6.']],
  ],
  [
    'direct: {families: ipv6, ipv4: {source: 192.0.2.1}}',
    [
      [
        'contradiction',
        'postern.yaml:1:41: direct.ipv4.source: direct.families leaves ipv4 out, so that this address is never used. Remove it, or set families: auto.',
      ],
    ],
  ],
  [
    'direct: {allowPrivate: [10.0.0.1/8]}',
    [
      [
        'bad-network',
        'postern.yaml:1:25: direct.allowPrivate[0]: "10.0.0.1/8" has bits set behind its prefix; a network like 10.1.0.0/16 or fd00::/8, or one address. Did you mean 10.0.0.0/8, or 10.0.0.1/32?',
      ],
    ],
  ],
  [
    'routes: [{via: mx/login}]',
    [
      [
        'bad-route',
        'postern.yaml:1:16: routes[0].via: "mx/login" is no target of a route; RELAY, RELAY/CREDENTIAL, mx, local, local/USER, hold, discard or capture.',
      ],
    ],
  ],
  ['routes: []', [['out-of-range', 'postern.yaml:1:1: routes: the list is empty; 1 to 10000 entries.']]],
  [
    'routes: [{to: x}]',
    [
      [
        'missing-key',
        "postern.yaml:1:10: routes[0].via: is missing. Add it: RELAY (credential chosen by sender), RELAY/CREDENTIAL, mx (straight to the servers of the recipient), local (the mailbox of the local user), local/USER (that user's mailbox), hold (until an operator lets it go), discard (accepted and thrown away), or capture (kept, never sent).",
      ],
    ],
  ],
  [
    'routes: [{from: "a b", via: hold}]',
    [['bad-address', 'postern.yaml:1:17: routes[0].from: "a b" is no address pattern; user@example.com, *@example.com, example.com, *.example.com, <> or *.']],
  ],
  [
    'routes: [{via: capture, reason: because}]',
    [['contradiction', 'postern.yaml:1:33: routes[0].reason: a reason is shown only with via: hold, not with capture. Remove it.']],
  ],
  [
    'routes:\n  - via: capture\n  - { from: a@b.c, via: hold }',
    [['route-unreachable', 'postern.yaml:3:5: routes[1]: routes[0] matches all mail, so that this one never does. Move routes[0] to the end.']],
  ],
  [
    'routes: [{from: a@b.c, via: hold}]',
    [
      [
        'routes-incomplete',
        'postern.yaml:1:10: routes[0]: mail that matches no route is held. End with a route that has only via:, if that is not what you want.',
      ],
    ],
  ],
  [
    'relays: {g: {host: a}}\nroutes: [{via: capture}]',
    [['relay-unused', 'postern.yaml:1:10: relays.g: no route leads to this relay. Add a route, or remove the relay.']],
  ],
  ['log: {level: warning}', [['not-allowed', 'postern.yaml:1:14: log.level: "warning" is not allowed; one of debug, info, warn, error. Did you mean "warn"?']]],
  ['log: loud', [['wrong-type', 'postern.yaml:1:6: log: must be a mapping, not text.']]],
  [
    'a: [x]:587',
    [['yaml-syntax', 'postern.yaml:1:7: something stands behind the end of a value. Put a value with brackets, like "[smtp.example.com]:587", into quotes.']],
  ],
  [
    'routes: [{to: *.foo, via: hold}]',
    [
      [
        'yaml-syntax',
        'postern.yaml:1:15: in YAML, * at the beginning of a value names an alias, and there is none of this name. Put the pattern into quotes: "*.example.com".',
      ],
    ],
  ],
  ['hostname: "x', [['yaml-syntax', 'postern.yaml:2:1: something is not closed or not separated. Look for a missing quote, bracket, comma or colon.']]],
  [
    'limits: {recipients: 5\nhostname: a.b',
    [['yaml-syntax', 'postern.yaml:2:1: the indentation is wrong, or a bracket is not closed. Keys of one mapping begin in the same column.']],
  ],
  [
    'hostname: a.b\n  data: x',
    [['yaml-syntax', 'postern.yaml:1:11: a mapping begins in the middle of a line. Write one key a line, or put a value with a colon into quotes.']],
  ],
  ['\tlimits: {}', [['yaml-syntax', 'postern.yaml:1:1: a tab is used for indentation. Use spaces.']]],
  ['limits: {}\nlimits: {}', [['duplicate-key', 'postern.yaml:2:1: the key "limits" is written twice in one mapping. Remove one of the two.']]],
  ['relays: { __proto__: { host: a.b } }', [['bad-name', 'postern.yaml:1:11: "__proto__" cannot be a name. Take another one.']]],
  ['routes: [{ header: { __proto__: x }, via: hold }]', [['bad-name', 'postern.yaml:1:22: "__proto__" cannot be a name. Take another one.']]],
  ['- 1', [['wrong-type', 'postern.yaml:1:1: must be a mapping, not a list.']]],
  ['dsn: {from: hunter2: x}', [['yaml-syntax', 'postern.yaml:1:13: this is not valid YAML. Put the value into quotes.']]],
  ['limits: {}\n---\nlimits: {}', [['yaml-syntax', 'postern.yaml:2:1: a second document begins. Remove the line ---.']]],
]
