/**
 * R11: everything that is known to go wrong around STARTTLS, on both sides (T01 to T12, C01 to C14).
 *
 * No octet of content, envelope or password in plain text where TLS is demanded; nothing of injected text is believed;
 * each case ends as the table says. The control sends under `may` to a server without STARTTLS and must be seen to
 * leak.
 */
import { CAPABILITIES, send, serve, startPeer } from '../support/scripted-peer.ts'
import { runClientCases } from './support/starttls-client.ts'
import { runPolicyCases } from './support/starttls-policy.ts'
import { runServerCases } from './support/starttls-server.ts'
import { CANARY, createTlsBench } from './support/tls-bench.ts'
import { runBar } from './support/verdict.ts'

async function controlLeaks(): Promise<number> {
  const peer = await startPeer([[send('220 x'), serve({ capabilities: [...CAPABILITIES] })]])
  const bench = createTlsBench()
  await bench.send({ port: peer.port, host: 'mx.y.test', tls: { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' } })
  const plain = peer.connections.map((connection) => Buffer.concat(connection.plain).toString('latin1')).join('')
  await bench.close()
  await peer.close()
  return plain.includes(CANARY) ? 1 : 0
}

await runBar('R11 starttls', async () => {
  const server = await runServerCases()
  const client = await runClientCases()
  const policies = await runPolicyCases()
  const all = [...server, ...client, ...policies]
  const wrong = all.filter(({ fault }) => fault !== null)
  for (const { name, fault } of wrong) process.stderr.write(`${name}: ${fault}\n`)
  const sum = (of: 'leaks' | 'injectedUsed') => all.reduce((total, one) => total + one[of], 0)
  const control = await controlLeaks()
  return {
    passed: wrong.length === 0 && sum('leaks') === 0 && sum('injectedUsed') === 0 && all.length >= 60 && control === 1,
    figures: {
      serverCases: server.length,
      clientCases: client.length,
      policyCases: policies.length,
      wrong: wrong.length,
      plaintextLeaks: sum('leaks'),
      injectedUsed: sum('injectedUsed'),
      controlLeakSeen: control,
    },
  }
})
