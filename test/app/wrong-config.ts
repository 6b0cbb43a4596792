/** A configuration with faults, and what is said of each: code and sentence. */
export type WrongConfig = readonly [yaml: string, problems: readonly (readonly [code: string, text: string])[]]
