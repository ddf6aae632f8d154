import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react'

const NONE: ReadonlySet<string> = new Set()

export interface Selection {
  has: (key: string) => boolean
  size: number
  /** Take one in or out; the next range begins here. */
  toggle: (key: string) => void
  /** Everything from the last choice (else `from`) to here, instead of the range before. */
  extend: (key: string, from?: string) => void
  all: () => void
  clear: () => void
}

/** Which of the rows are chosen. Rows that are gone are not chosen any more. */
export function useSelection(keys: string[]): Selection {
  const [chosen, choose] = useState(NONE)
  const anchor = useRef<string | null>(null)
  /** What was chosen when the range began. */
  const before = useRef(NONE)
  const order = useRef(keys)

  const present = useMemo(() => {
    if (chosen.size === 0) return NONE
    return new Set(keys.filter((key) => chosen.has(key)))
  }, [chosen, keys])
  const latest = useRef(present)
  useLayoutEffect(() => {
    order.current = keys
    latest.current = present
  }, [keys, present])

  const toggle = useCallback((key: string) => {
    const next = new Set(latest.current)
    if (!next.delete(key)) next.add(key)
    anchor.current = key
    before.current = next
    choose(next)
  }, [])
  const extend = useCallback((key: string, from = key) => {
    // the row that the range began at may be gone
    if (!order.current.includes(anchor.current ?? '')) anchor.current = from
    const ends = [order.current.indexOf(anchor.current ?? from), order.current.indexOf(key)]
    const range = order.current.slice(Math.min(...ends), Math.max(...ends) + 1)
    choose(new Set([...before.current, ...range]))
  }, [])
  const all = useCallback(() => {
    before.current = new Set(order.current)
    choose(before.current)
  }, [])
  const clear = useCallback(() => {
    anchor.current = null
    before.current = NONE
    choose(NONE)
  }, [])

  return useMemo(
    () => ({
      has: (key) => present.has(key),
      size: present.size,
      toggle,
      extend,
      all,
      clear,
    }),
    [present, toggle, extend, all, clear],
  )
}
