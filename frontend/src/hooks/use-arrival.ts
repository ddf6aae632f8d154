import { useRouterState } from '@tanstack/react-router'
import { type RefObject, useEffect, useRef } from 'react'

/** On another page the focus goes to its heading, as a browser's would to a new document. */
export function useArrival(main: RefObject<HTMLElement | null>): void {
  // where one has arrived, not where one is going: until then the page that one leaves is shown
  const pathname = useRouterState({ select: (state) => state.resolvedLocation?.pathname })
  const before = useRef(pathname)
  useEffect(() => {
    const from = before.current
    before.current = pathname
    if (from === undefined || from === pathname) return
    const content = main.current
    if (!content) return
    const arrive = () => {
      const heading = content.querySelector('h1')
      if (!heading) return false
      // a page that put the focus somewhere itself knows better
      const focused = document.activeElement
      if (focused && focused !== content && content.contains(focused)) return true
      heading.tabIndex = -1
      heading.focus({ preventScroll: true })
      return true
    }
    const watcher = new MutationObserver(() => {
      if (arrive()) watcher.disconnect()
    })
    // the page that one leaves may still be there
    const frame = requestAnimationFrame(() => {
      if (!arrive()) watcher.observe(content, { childList: true, subtree: true })
    })
    return () => {
      cancelAnimationFrame(frame)
      watcher.disconnect()
    }
  }, [pathname, main])
}
