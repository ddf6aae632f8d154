// Before the first paint, so that a dark room sees no white flash. A file of its own and not
// an inline script, because the page's security policy forbids those.
{
  const chosen = localStorage.getItem('datahall.color-scheme')
  const dark =
    chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.mantineColorScheme = dark ? 'dark' : 'light'
}
