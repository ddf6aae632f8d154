/** What React reads of a thing that changes by itself: told at most once a frame. */
export class Store {
  private readonly listeners = new Set<() => void>()
  private told = false
  private count = 0

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** A number that is another one after every change. */
  readonly version = (): number => this.count

  protected changed(): void {
    this.count += 1
    if (this.told) return
    this.told = true
    // a hidden tab has no frames: it catches up when it is looked at
    requestAnimationFrame(() => {
      this.told = false
      for (const listener of this.listeners) listener()
    })
  }
}
