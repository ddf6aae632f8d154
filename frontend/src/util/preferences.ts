/** What a person chose on this browser. Storage may be refused; then choices last for the tab. */
type Name =
  | 'language'
  | 'color-scheme'
  | 'project'
  | `table.${string}`
  | `views.${string}`
  | 'log-wrap'
  | 'log-times'
  | 'smoothing'
  | 'nav-folded'
  | 'first-model'
  | `seen.${string}`
  | `recent.${string}`

export function remembered(name: Name): string | null {
  try {
    return localStorage.getItem(`datahall.${name}`)
  } catch {
    return null
  }
}

export function remember(name: Name, value: string): void {
  try {
    localStorage.setItem(`datahall.${name}`, value)
  } catch {
    // private browsing, or storage full: nothing is lost that the person would miss
  }
}
