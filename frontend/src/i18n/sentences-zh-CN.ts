/** The server's own texts: its catalogues are bundled too. */
const files = import.meta.glob<Record<string, string>>('../../../apps/*/messages/zh-CN.json', {
  eager: true,
  import: 'default',
})

/** The sentences of the server's codes. */
export const server: Record<string, string> = Object.assign({}, ...Object.values(files))
