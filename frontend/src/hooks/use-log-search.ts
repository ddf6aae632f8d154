import { useEffect, useMemo, useSyncExternalStore } from 'react'
import { LogSearch } from '@/api/log-search'
import type { LogStream } from '@/api/log-stream'

const never = () => () => {}
const zero = () => 0

/** Looks for a pattern through what there is of a log and what comes; null looks for nothing. */
export function useLogSearch(stream: LogStream, pattern: RegExp | null): LogSearch | null {
  const search = useMemo(() => pattern && new LogSearch(stream, pattern), [stream, pattern])
  useEffect(() => {
    search?.start()
    return () => search?.stop()
  }, [search])
  useSyncExternalStore(search?.subscribe ?? never, search?.version ?? zero)
  return search
}
