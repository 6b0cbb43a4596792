/**
 * Why a store could not be opened, in words for the operator.
 */
export type StoreOpenFault = 'locked' | 'network-file-system' | 'newer-schema' | 'not-writable' | 'damaged'

export class StoreOpenError extends Error {
  readonly fault: StoreOpenFault
  constructor(fault: StoreOpenFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreOpenError'
    this.fault = fault
  }
}
