/**
 * Which units of the content file are taken. Knows no file.
 *
 * The file is a row of blocks; a block is cut into places of one size, chosen when its first one is
 * taken, and is whole again when its last one is given back. The lowest free block goes first, so that
 * the end of the file becomes free and can be cut off.
 */
import { TurnoverSet } from '../../../core/turnover.ts'
import { UNIT_OCTETS } from '../place.ts'

/** 256 KiB: the longest piece of content. */
export const UNITS_PER_BLOCK = 16
const SIZES = [1, 2, 4, 8, 16]
const ALL = 0xffff

export class Places {
  /** By block: units of each place in it; 0: the block is free. */
  readonly #units: number[] = []
  /** By block: a bit for each unit taken. */
  readonly #taken: number[] = []
  /** By size: blocks with places of that size, of which some are free. */
  readonly #open = new Map(SIZES.map((units) => [units, new TurnoverSet<number>()]))
  /** Blocks in which two rows claim the same units: never used again before the next start. */
  readonly #disputed = new Set<number>()
  #takenUnits = 0
  /** No block before this one is free. */
  #firstFree = 0

  /** A place for so many octets, at most a block. Throws RangeError. */
  take(octets: number): number {
    const units = unitsFor(octets)
    const block = this.#openBlock(units)
    const mask = maskOf(units)
    const taken = this.#taken[block] as number
    let at = 0
    while ((taken & (mask << at)) !== 0) at += units
    this.#mark(block, taken | (mask << at))
    this.#takenUnits += units
    return block * UNITS_PER_BLOCK + at
  }

  /** The place is free. Throws if it was not taken: something else may be written there. */
  give(place: number, octets: number): void {
    const { block, bits, units } = find(place, octets)
    if (this.#disputed.has(block)) return
    const taken = this.#taken[block] ?? 0
    if (this.#units[block] !== units || (taken & bits) !== bits) throw new Error(`place ${place} is not taken by ${octets} octets`)
    this.#mark(block, taken & ~bits)
    this.#takenUnits -= units
  }

  /**
   * Takes a place that is known to hold content. False: something else has it, too. Whose it is, the hash of the content
   * says to who reads it; nothing is written there any more.
   */
  occupy(place: number, octets: number): boolean {
    const { block, bits, units } = find(place, octets)
    while (this.#units.length <= block) {
      this.#units.push(0)
      this.#taken.push(0)
    }
    const [cut, taken] = [this.#units[block] as number, this.#taken[block] as number]
    if ((cut !== 0 && cut !== units) || (taken & bits) !== 0 || this.#disputed.has(block)) {
      this.#disputed.add(block)
      this.#mark(block, ALL)
      return false
    }
    this.#units[block] = units
    this.#mark(block, taken | bits)
    this.#takenUnits += units
    return true
  }

  get takenOctets(): number {
    return this.#takenUnits * UNIT_OCTETS
  }

  /** In blocks that are free as a whole. */
  get freeBlockOctets(): number {
    return this.#units.filter((units) => units === 0).length * UNITS_PER_BLOCK * UNIT_OCTETS
  }

  /** Octets from the start of the file to behind the last place taken. */
  get endOctets(): number {
    while (this.#units.at(-1) === 0) {
      this.#units.pop()
      this.#taken.pop()
    }
    this.#firstFree = Math.min(this.#firstFree, this.#units.length)
    return this.#units.length * UNITS_PER_BLOCK * UNIT_OCTETS
  }

  /** A block with room for a place of that size. */
  #openBlock(units: number): number {
    for (const block of this.#open.get(units) ?? []) return block
    while ((this.#units[this.#firstFree] ?? 0) !== 0) this.#firstFree += 1
    if (this.#firstFree === this.#units.length) this.#taken.push(0)
    this.#units[this.#firstFree] = units
    return this.#firstFree
  }

  #mark(block: number, taken: number): void {
    this.#taken[block] = taken
    const open = this.#open.get(this.#units[block] as number)
    if (taken === 0) {
      open?.delete(block)
      this.#units[block] = 0
      this.#firstFree = Math.min(this.#firstFree, block)
    } else if (taken === ALL) open?.delete(block)
    else open?.add(block)
  }
}

function find(place: number, octets: number): { readonly block: number; readonly bits: number; readonly units: number } {
  const units = unitsFor(octets)
  return { block: Math.floor(place / UNITS_PER_BLOCK), bits: maskOf(units) << (place % UNITS_PER_BLOCK), units }
}

function maskOf(units: number): number {
  return (1 << units) - 1
}

function unitsFor(octets: number): number {
  const needed = Math.ceil(octets / UNIT_OCTETS)
  const units = SIZES.find((size) => size >= needed)
  if (units === undefined || octets <= 0) throw new RangeError(`no place is for ${octets} octets`)
  return units
}
