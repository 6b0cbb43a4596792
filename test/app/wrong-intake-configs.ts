/**
 * Listeners, limits, networks and users with faults, and word for word what is said of each. A warning about the host name is left out.
 */
import { configSchema } from '../../src/app/config-schema.ts'
import type { WrongConfig } from './wrong-config.ts'

const KEYS = Object.keys(configSchema.shape).join(', ')

export const WRONG_INTAKE_CONFIGS: readonly WrongConfig[] = [
  ['lissten: []', [['unknown-key', `postern.yaml:1:1: lissten: there is no such key. Did you mean "listen"?`]]],
  ['mode: sandbox', [['unknown-key', `postern.yaml:1:1: mode: there is no such key; one of ${KEYS}.`]]],
  ['listen: []', [['out-of-range', 'postern.yaml:1:1: listen: the list is empty; 1 to 100 entries.']]],
  ['listen: smtp://127.0.0.1:25', [['wrong-type', 'postern.yaml:1:9: listen: must be a list, not text. Put it into brackets: [ VALUE ].']]],
  [
    'listen: [smtp://0.0.0.0:25]',
    [
      [
        'open-listener',
        'postern.yaml:1:10: listen[0]: smtp://0.0.0.0:25 can be reached from outside, but neither networks nor users say who may use it. Add the clients to networks:, or users: with passwords, or listen on 127.0.0.1 only.',
      ],
    ],
  ],
  [
    'listen: ["smtp://[::]:25"]\nusers: [{name: a, passwordHash: "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"}]',
    [
      [
        'login-impossible',
        'postern.yaml:1:10: listen[0]: users can log in on smtp://[::]:25 only with TLS, and it has no certificate. Set tls: { cert: FILE, key: FILE }.',
      ],
    ],
  ],
  [
    'listen: [{url: smtp://127.0.0.1:25, pipelinig: true}]',
    [['unknown-key', 'postern.yaml:1:37: listen[0].pipelinig: there is no such key. Did you mean "pipelining"?']],
  ],
  [
    'listen: [smtp://mail.example.com:25]',
    [
      [
        'bad-listener',
        'postern.yaml:1:10: listen[0]: "mail.example.com" is no address of this machine: a name could mean another address tomorrow; smtp://ADDRESS:PORT or smtps://ADDRESS:PORT. For example smtp://127.0.0.1:25 or smtp://[::1]:25.',
      ],
    ],
  ],
  [
    'listen: [smtp://user:hunter2@127.0.0.1:25]',
    [
      [
        'bad-listener',
        'postern.yaml:1:10: listen[0]: "***@127.0.0.1:25" is no address to listen on; smtp://ADDRESS:PORT or smtps://ADDRESS:PORT. For example smtp://127.0.0.1:25 or smtp://[::1]:25.',
      ],
    ],
  ],
  [
    'listen: [smtp://127.0.0.1:99999]',
    [
      [
        'bad-listener',
        'postern.yaml:1:10: listen[0]: 99999 is no port; smtp://ADDRESS:PORT or smtps://ADDRESS:PORT. For example smtp://127.0.0.1:25 or smtp://[::1]:25.',
      ],
    ],
  ],
  [
    'listen: [{requireTls: true}]',
    [
      [
        'missing-key',
        'postern.yaml:1:10: listen[0].url: is missing. Add it: smtp://ADDRESS:PORT, or smtps:// for TLS from the first byte. Port 0 takes any free one.',
      ],
    ],
  ],
  [
    'listen: [smtps://127.0.0.1:465]',
    [
      [
        'tls-missing',
        'postern.yaml:1:10: listen[0]: smtps://127.0.0.1:465 begins with TLS, but has no certificate. Set tls: { cert: FILE, key: FILE } here or at the top.',
      ],
    ],
  ],
  [
    'listen: [{url: smtp://127.0.0.1:25, requireTls: true}]',
    [
      [
        'tls-missing',
        'postern.yaml:1:10: listen[0]: smtp://127.0.0.1:25 demands TLS, but has no certificate. Set tls: { cert: FILE, key: FILE } here or at the top.',
      ],
    ],
  ],
  [
    'listen: [{url: smtp://127.0.0.1:25, requireAuth: true}]',
    [['login-impossible', 'postern.yaml:1:10: listen[0]: smtp://127.0.0.1:25 demands login, but there are no users. Add users:, or remove requireAuth.']],
  ],
  [
    'listen: [smtp://127.0.0.1:25, smtp://127.0.0.1:25]',
    [['duplicate-listener', 'postern.yaml:1:31: listen[1]: smtp://127.0.0.1:25 has the same address and port as smtp://127.0.0.1:25. Remove one of them.']],
  ],
  ['listen: [{url: smtp://127.0.0.1, tls: yes}]', [['wrong-type', 'postern.yaml:1:39: listen[0].tls: text is not allowed here; false or a mapping.']]],
  ['hostname: a_b', [['bad-host', 'postern.yaml:1:11: hostname: "a_b" is no host name; letters, digits and - in labels of at most 63, with dots between.']]],
  [
    'retry: {min: 90}',
    [['bad-duration', 'postern.yaml:1:14: retry.min: 90 is no duration; a number with its unit, 1s to 1d. Write 90s for seconds or 90m for minutes.']],
  ],
  ['retry: {min: 9x}', [['bad-duration', 'postern.yaml:1:14: retry.min: "9x" is no duration; a number with its unit, 1s to 1d. Units are ms, s, m, h and d.']]],
  ['retry: {min: 60d}', [['out-of-range', 'postern.yaml:1:14: retry.min: "60d" is out of range; 1s to 1d.']]],
  ['retry: {min: 5h, max: 1h}', [['contradiction', 'postern.yaml:1:14: retry.min: must not be larger than retry.max. Lower it, or raise retry.max.']]],
  [
    'delayNoticeAfter: nevr',
    [['bad-duration', 'postern.yaml:1:19: delayNoticeAfter: "nevr" is no duration; a number with its unit, 1m to 30d, or never. Units are ms, s, m, h and d.']],
  ],
  [
    'limits: {messageSize: lots}',
    [
      [
        'bad-size',
        'postern.yaml:1:23: limits.messageSize: "lots" is no size; a number with or without unit, 1 KB to 2 GB. Units are KB, MB, GB and KiB, MiB, GiB.',
      ],
    ],
  ],
  ['limits: {messageSize: 1}', [['out-of-range', 'postern.yaml:1:23: limits.messageSize: 1 is out of range; 1 KB to 2 GB.']]],
  ['limits: {recipients: 1.5}', [['wrong-type', 'postern.yaml:1:22: limits.recipients: must be a whole number, not 1.5.']]],
  ['limits: {recipients: 0}', [['out-of-range', 'postern.yaml:1:22: limits.recipients: 0 is out of range; 1 to 100000.']]],
  ['limits: {recipients: many}', [['wrong-type', 'postern.yaml:1:22: limits.recipients: must be a number, not text.']]],
  ['limits: 5', [['wrong-type', 'postern.yaml:1:9: limits: must be a mapping, not a number.']]],
  [
    'limitsUnderPressure: {recipients: 5000}',
    [
      [
        'milder-under-pressure',
        'postern.yaml:1:35: limitsUnderPressure.recipients: 5000 is milder than limits.recipients: 1000. The stricter of the two is used.',
      ],
    ],
  ],
  [
    'networks: [10.1.2.3/8]',
    [
      [
        'bad-network',
        'postern.yaml:1:12: networks[0]: "10.1.2.3/8" has bits set behind its prefix; a network like 10.1.0.0/16 or fd00::/8, or one address. Did you mean 10.0.0.0/8, or 10.1.2.3/32?',
      ],
    ],
  ],
  [
    'networks: [10.0.0.0/33]',
    [['bad-network', 'postern.yaml:1:12: networks[0]: "/33" is no prefix length from 0 to 32; a network like 10.1.0.0/16 or fd00::/8, or one address.']],
  ],
  ['networks: [foo]', [['bad-network', 'postern.yaml:1:12: networks[0]: "foo" is no network; a network like 10.1.0.0/16 or fd00::/8, or one address.']]],
  [
    'networks: [10.0.0.0/8/1]',
    [['bad-network', 'postern.yaml:1:12: networks[0]: "10.0.0.0/8/1" is no network; a network like 10.1.0.0/16 or fd00::/8, or one address.']],
  ],
  [
    'networks: [10.1/16]',
    [['bad-network', 'postern.yaml:1:12: networks[0]: "10.1/16" is no network; a network like 10.1.0.0/16 or fd00::/8, or one address.']],
  ],
  [
    'networks: [010.0.0.0/8]',
    [['bad-network', 'postern.yaml:1:12: networks[0]: "010.0.0.0/8" is no network; a network like 10.1.0.0/16 or fd00::/8, or one address.']],
  ],
  [
    'networks: ["fe80::1%eth0"]',
    [['bad-network', 'postern.yaml:1:12: networks[0]: "fe80::1%eth0" is no network; a network like 10.1.0.0/16 or fd00::/8, or one address.']],
  ],
  [
    'networks: ["::ffff:127.0.0.1"]',
    [
      [
        'bad-network',
        'postern.yaml:1:12: networks[0]: "::ffff:127.0.0.1" is an IPv4 address in IPv6 clothing; a network like 10.1.0.0/16 or fd00::/8, or one address. Write 127.0.0.1 instead; it covers both.',
      ],
    ],
  ],
  [
    'networks: [0.0.0.0/0]',
    [
      [
        'network-any',
        'postern.yaml:1:12: networks[0]: 0.0.0.0/0 lets everybody relay without login. Name the networks of your applications instead; spammers find open relays within hours.',
      ],
    ],
  ],
  [
    'users: [{name: a}]',
    [['missing-key', 'postern.yaml:1:9: users[0]: the user has no password; either passwordHash or password. Make a hash with: postern config hash-password']],
  ],
  [
    'users: [{name: a, passwordHash: x}]',
    [
      [
        'bad-hash',
        'postern.yaml:1:33: users[0].passwordHash: is no password hash; $scrypt$ln=15,r=8,p=1$SALT$HASH. Make one with: postern config hash-password. Inside { } it needs quotes, because of its commas.',
      ],
    ],
  ],
  [
    "users: [{name: a, password: '$scrypt$ln=15,r=8,p=1$SALT$HASH'}]",
    [
      [
        'secret-in-file',
        'postern.yaml:1:29: users[0].password: this is the hash of a password; { file: PATH }, { env: NAME } or { credential: NAME }. A hash stands under passwordHash.',
      ],
    ],
  ],
  [
    'users: [{name: a, password: {file: x}}, {name: a, password: {file: x}}]',
    [['duplicate-user', 'postern.yaml:1:48: users[1].name: there is already a user "a". Remove one of them.']],
  ],
  ['tls: {cert: a}', [['missing-key', 'postern.yaml:1:1: tls.key: is missing. Add it: PEM file with the private key, readable by root or Postern only.']]],
]
