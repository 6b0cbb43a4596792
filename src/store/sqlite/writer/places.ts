/**
 * Which units of the content file are taken. Knows no file.
 *
 * The file is a row of blocks; a block is cut into places of one size, chosen when its first one is
 * taken, and is whole again when its last one is given back. The lowest block goes first, so that
 * the end of the file becomes free and can be cut off.
 */
import { TurnoverSet } from '../../../core/turnover.ts'
import { UNIT_OCTETS } from '../place.ts'

/** 256 KiB: the longest piece of content. */
export const UNITS_PER_BLOCK = 16
const SIZES = [1, 2, 4, 8, 16]

interface Block {
  /** Units of each place in it; 0: the block is free. */
  units: number
  /** A bit for each unit taken. */
  taken: number
}

export class Places {
  readonly #blocks: Block[] = []
  /** By size: blocks with places of that size, of which some are free. */
  readonly #open = new Map(SIZES.map((units) => [units, new TurnoverSet<number>()]))
  #takenUnits = 0
  /** No block before this one is free. */
  #firstFree = 0

  /** The lowest place for so many octets, at most a block. Throws RangeError. */
  take(octets: number): number {
    const units = unitsFor(octets)
    const index = this.#openBlock(units)
    const block = this.#blocks[index] as Block
    const mask = maskOf(units)
    let at = 0
    while ((block.taken & (mask << at)) !== 0) at += units
    this.#mark(index, block, block.taken | (mask << at))
    this.#takenUnits += units
    return index * UNITS_PER_BLOCK + at
  }

  /** The place is free. Throws if it was not taken: something else may be written there. */
  give(place: number, octets: number): void {
    const { index, bits, block } = this.#find(place, octets)
    if (block?.units !== unitsFor(octets) || (block.taken & bits) !== bits) throw new Error(`place ${place} is not taken by ${octets} octets`)
    this.#mark(index, block, block.taken & ~bits)
    this.#takenUnits -= unitsFor(octets)
  }

  /** Takes a place that is known to hold content. Throws if something else has it. */
  occupy(place: number, octets: number): void {
    const { index, bits } = this.#find(place, octets)
    while (this.#blocks.length <= index) this.#blocks.push({ units: 0, taken: 0 })
    const block = this.#blocks[index] as Block
    const units = unitsFor(octets)
    if ((block.units !== 0 && block.units !== units) || (block.taken & bits) !== 0) throw new Error(`place ${place} has content twice`)
    block.units = units
    this.#mark(index, block, block.taken | bits)
    this.#takenUnits += units
  }

  get takenOctets(): number {
    return this.#takenUnits * UNIT_OCTETS
  }

  /** Octets from the start of the file to behind the last place taken. */
  get endOctets(): number {
    while (this.#blocks.at(-1)?.taken === 0) this.#blocks.pop()
    this.#firstFree = Math.min(this.#firstFree, this.#blocks.length)
    return this.#blocks.length * UNITS_PER_BLOCK * UNIT_OCTETS
  }

  #find(place: number, octets: number): { readonly index: number; readonly bits: number; readonly block: Block | undefined } {
    const index = Math.floor(place / UNITS_PER_BLOCK)
    return { index, bits: maskOf(unitsFor(octets)) << (place % UNITS_PER_BLOCK), block: this.#blocks[index] }
  }

  /** A block with room for a place of that size. */
  #openBlock(units: number): number {
    for (const index of this.#open.get(units) ?? []) return index
    while ((this.#blocks[this.#firstFree]?.units ?? 0) !== 0) this.#firstFree += 1
    if (this.#firstFree === this.#blocks.length) this.#blocks.push({ units: 0, taken: 0 })
    const block = this.#blocks[this.#firstFree] as Block
    block.units = units
    return this.#firstFree
  }

  #mark(index: number, block: Block, taken: number): void {
    block.taken = taken
    const open = this.#open.get(block.units)
    if (taken === 0) {
      open?.delete(index)
      block.units = 0
      this.#firstFree = Math.min(this.#firstFree, index)
    } else if (taken === maskOf(UNITS_PER_BLOCK)) open?.delete(index)
    else open?.add(index)
  }
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
