import { useEffect } from 'react'

/** What the tab, the history and a bookmark are called. */
export function useTitle(...parts: string[]): void {
  const title = [...parts, 'Datahall'].join(' · ')
  useEffect(() => {
    document.title = title
  }, [title])
}
