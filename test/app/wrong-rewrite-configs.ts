/**
 * `rewrite`, `aliases` and `local` with faults, and word for word what is said of each.
 */
import type { WrongConfig } from './wrong-config.ts'

export const WRONG_REWRITE_CONFIGS: readonly WrongConfig[] = [
  [
    'rewrite: {recipients: [{}]}',
    [
      [
        'missing-key',
        'postern.yaml:1:24: rewrite.recipients[0]: the entry says of no address what it becomes; map, pattern with to, or file. Write one of them in each entry.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{map: {a@x.example: b@y.example}, file: virtual}]}',
    [
      [
        'contradiction',
        'postern.yaml:1:24: rewrite.recipients[0]: the entry says in two ways what addresses become; map, pattern with to, or file. Write one of them in each entry.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{file: virtual, format: hash}]}',
    [['not-allowed', 'postern.yaml:1:48: rewrite.recipients[0].format: "hash" is not allowed; one of hash-text, regexp, pcre.']],
  ],
  [
    'rewrite: {recipients: [{map: {a@x.example: b@y.example}, format: pcre}]}',
    [['contradiction', 'postern.yaml:1:66: rewrite.recipients[0].format: only a file has a format. Remove it.']],
  ],
  [
    'rewrite: {recipients: [{map: {a@x.example: b@y.example}, to: c@y.example}]}',
    [['contradiction', 'postern.yaml:1:62: rewrite.recipients[0].to: only a pattern has to:. Remove it.']],
  ],
  [
    'rewrite: {recipients: [{pattern: /a/}]}',
    [
      [
        'missing-key',
        'postern.yaml:1:24: rewrite.recipients[0]: the pattern leads nowhere. Add to: with an address; $1 stands for what the first bracket matched.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{pattern: /a(?=b)/, to: c@y.example}]}',
    [
      [
        'bad-pattern',
        'postern.yaml:1:34: rewrite.recipients[0].pattern: "a(?=b)" cannot be used (invalid or unsupported Perl syntax: `(?=`): patterns take linear time, without back-references, look-ahead and look-behind; /EXPRESSION/ or /EXPRESSION/i.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{pattern: /a/, to: $1@y.example}]}',
    [['bad-pattern', 'postern.yaml:1:34: rewrite.recipients[0].pattern: "$1@y.example" asks for bracket 1, the pattern has 0; /EXPRESSION/ or /EXPRESSION/i.']],
  ],
  [
    'rewrite: {recipients: [{pattern: a@x, to: c@y.example}]}',
    [['bad-pattern', 'postern.yaml:1:34: rewrite.recipients[0].pattern: "a@x" is no pattern: /expression/ is wanted; /EXPRESSION/ or /EXPRESSION/i.']],
  ],
  [
    'rewrite: {recipients: [{map: {a@@x: b@y.example}}]}',
    [
      [
        'bad-address',
        'postern.yaml:1:31: rewrite.recipients[0].map.a@@x: "a@@x" is no address; user@example.com, "@example.com" for a whole domain, or a name of this machine.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{map: {a@x.example: b@@y}}]}',
    [
      [
        'bad-address',
        'postern.yaml:1:44: rewrite.recipients[0].map."a@x.example": "b@@y" is no address; user@example.com, @example.com for the same name in another domain, or a name of this machine.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{map: {a@x.example: bob}}]}',
    [
      [
        'contradiction',
        'postern.yaml:1:44: rewrite.recipients[0].map."a@x.example": "bob" has no domain, and there is none for such names. Write the whole address, or set local: {} so that names get the local domain.',
      ],
    ],
  ],
  [
    'rewrite: {recipients: [{pattern: /a/, to: root}]}',
    [
      [
        'contradiction',
        'postern.yaml:1:43: rewrite.recipients[0].to: "root" has no domain, and there is none for such names. Write the whole address, or set local: {} so that names get the local domain.',
      ],
    ],
  ],
  ['rewrite: {senders: [{file: x}]}', [['unknown-key', 'postern.yaml:1:22: rewrite.senders[0].file: there is no such key; one of map, pattern, to.']]],
  [
    'rewrite: {recipients: [{map: {@old.example: a@x.example}}]}',
    [['yaml-syntax', 'postern.yaml:1:31: a value cannot begin with this character. Put the value into quotes.']],
  ],
  ['rewrite: {limits: {depth: 100}}', [['out-of-range', 'postern.yaml:1:27: rewrite.limits.depth: 100 is out of range; 1 to 50.']]],
  ['rewrite: {sendAs: {from: "*", as: noreply}}', [['bad-address', 'postern.yaml:1:35: rewrite.sendAs.as: "noreply" is no address; user@example.com.']]],
  [
    'aliases: /etc/aliases',
    [['contradiction', 'postern.yaml:1:10: aliases: aliases are for names of local domains, and there are none. Add local: {}, or remove aliases.']],
  ],
  [
    'local: {domains: [ex ample]}',
    [['bad-host', 'postern.yaml:1:19: local.domains[0]: "ex ample" is no domain; example.com, localhost, $hostname, or [192.0.2.1].']],
  ],
  [
    'local: {domains: [], appendDomain: true}',
    [
      [
        'contradiction',
        'postern.yaml:1:36: local.appendDomain: there is no local domain that names could get. Name the domain: appendDomain: example.com, or set it to false.',
      ],
    ],
  ],
  [
    'local: {users: [bob]}',
    [
      [
        'root-nowhere',
        'postern.yaml:1:9: local.users: root is no user, so that mail for root and postmaster is refused. Set local.root to the address of whoever looks after this machine.',
      ],
    ],
  ],
  [
    'local: {recipientDelimiter: "a"}',
    [['not-allowed', 'postern.yaml:1:29: local.recipientDelimiter: "a" cannot split a name; up to five of + - = _ . % #, or nothing.']],
  ],
  [
    'local: {unknownUsers: refused@}',
    [
      [
        'bad-address',
        'postern.yaml:1:23: local.unknownUsers: "refused@" is no address; user@example.com, @example.com for the same name in another domain, or a name of this machine, or refuse.',
      ],
    ],
  ],
]
