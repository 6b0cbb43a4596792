/**
 * The seed of every property test.
 *
 * Fixed, so that a run of `npm test` says something about the change and not about chance: what passed passes again, what
 * failed fails again. Chance has its own run: `PROPERTY_SEED=random` tries other values each time (`docs/testing.md`).
 */
import fc from 'fast-check'

const FIXED = 20_261_123
const asked = process.env.PROPERTY_SEED ?? String(FIXED)
const seed = asked === 'random' ? Date.now() % 2 ** 31 : Number(asked)
if (!Number.isSafeInteger(seed)) throw new Error(`PROPERTY_SEED is "random" or a whole number, not ${asked}`)
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
