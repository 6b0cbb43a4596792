/**
 * `dkim` with faults, and word for word what is said of each.
 */
import type { WrongConfig } from './wrong-config.ts'

const KEY = '{selector: s1, key: {file: a.pem}}'

export const WRONG_DKIM_CONFIGS: readonly WrongConfig[] = [
  ...['localhost', 'a b.example', 'user@example.com', '[192.0.2.1]', '"*.example.com"'].map(
    (domain): WrongConfig => [
      `dkim: {keys: {${domain.includes('[') ? `"${domain}"` : domain}: [${KEY}]}}`,
      [
        [
          'bad-host',
          `postern.yaml:1:15: dkim.keys.${/[.[\]"\s]/.test(domain) ? JSON.stringify(domain.replaceAll('"', '')) : domain}: ${JSON.stringify(domain.replaceAll('"', ''))} is no mail domain; a domain like example.com: what stands behind the @ in From.`,
        ],
      ],
    ],
  ),
  ...['S1', 's_1', '-s', 's-', 's..1', ''].map(
    (selector): WrongConfig => [
      `dkim: {keys: {a.example: [{selector: "${selector}", key: {file: a.pem}}]}}`,
      [
        [
          'bad-name',
          `postern.yaml:1:38: dkim.keys."a.example"[0].selector: "${selector}" is no selector; small letters, digits, - and dots, at most 63, such as s2026.`,
        ],
      ],
    ],
  ),
  [
    `dkim: {keys: {a.example: [${KEY}, ${KEY}]}}`,
    [['duplicate-selector', 'postern.yaml:1:74: dkim.keys."a.example"[1].selector: there is already a selector s1 of a.example. Each key needs its own.']],
  ],
  [
    'dkim: {keys: {a.example: [{selector: s1, key: "hunter2"}]}}',
    [
      [
        'secret-in-file',
        'postern.yaml:1:47: dkim.keys."a.example"[0].key: a key must not stand in this file; { file: PATH }, { env: NAME } or { credential: NAME }. Put it into a file that only Postern can read (chmod 600) and write { file: secrets/NAME } here. Change the key if others have seen this file.',
      ],
    ],
  ],
  ...['yesterday', '2026-13-01', '2026-1-1', '22.11.2026'].map(
    (date): WrongConfig => [
      `dkim: {keys: {a.example: [{selector: s1, key: {file: a.pem}, notAfter: ${date}}]}}`,
      [
        [
          'bad-date',
          `postern.yaml:1:72: dkim.keys."a.example"[0].notAfter: "${date}" is no date; a day like 2026-11-22, or a time in UTC like 2026-11-22T18:00Z.`,
        ],
      ],
    ],
  ),
  [
    'dkim: {keys: {a.example: [{selector: s1, key: {file: a.pem}, notBefore: 2026-02-01, notAfter: 2026-02-01}]}}',
    [['contradiction', 'postern.yaml:1:95: dkim.keys."a.example"[0].notAfter: must be later than notBefore. Move one of them.']],
  ],
  [
    `dkim: {keys: {a.example: [${KEY}]}, default: b.example}`,
    [['unknown-domain', 'postern.yaml:1:74: dkim.default: there are no keys of b.example. Name one of the domains under dkim.keys.']],
  ],
  [
    'dkim: {headers: [X-Good, Received]}',
    [['not-allowed', 'postern.yaml:1:26: dkim.headers[1]: "Received" is never signed, because servers on the way change it. Remove it.']],
  ],
  ['dkim: {headers: ["X Bad"]}', [['bad-name', 'postern.yaml:1:18: dkim.headers[0]: "X Bad" is no header field name.']]],
  ['dkim: {validFor: 1d}', [['out-of-range', 'postern.yaml:1:18: dkim.validFor: "1d" is out of range; 5d to 365d.']]],
  ['dkim: {onFailure: hold}', [['not-allowed', 'postern.yaml:1:19: dkim.onFailure: "hold" is not allowed; one of refuse, send.']]],
]
