/**
 * Something that must not be under way twice: whoever asks meanwhile waits for the same end.
 */
export class OneAtATime {
  readonly #act: () => Promise<void>
  #underWay: Promise<void> | null = null

  constructor(act: () => Promise<void>) {
    this.#act = act
  }

  run(): Promise<void> {
    this.#underWay ??= this.#act().finally(() => {
      this.#underWay = null
    })
    return this.#underWay
  }

  /** When nothing is under way any more, however it ended. */
  async ended(): Promise<void> {
    await this.#underWay?.catch(() => undefined)
  }
}
