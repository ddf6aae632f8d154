import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { type LogQuery, LogView } from '@/components/LogView'
import { type RunAt, useLog } from '@/hooks/use-live'
import { useJobSearch, useJobView } from '@/hooks/use-params'
import { placeAround, placeOf } from '@/util/line-name'
import { pb, served } from '@/util/path-builder'

type Place = { from: number } | null

/** What a run prints; of a long log the place that the address names, else its end. */
export function LogsTab({ at }: { at: RunAt }) {
  const { line } = useJobSearch()
  const [place, setPlace] = useState<Place>(() => placeOf(line))
  return <LogAt key={place?.from ?? 'end'} at={at} place={place} onPlace={setPlace} />
}

interface Props {
  at: RunAt
  place: Place
  onPlace: (place: Place) => void
}

function LogAt({ at, place, onPlace }: Props) {
  const router = useRouter()
  const search = useJobSearch()
  const view = useJobView()
  const stream = useLog(at, place)
  const { q = '', regex = false, case: matchCase = false, level = 'all', line } = search
  const [query, setQuery] = useState<LogQuery>({ text: q, regex, matchCase, level })
  // the page's header leads to the errors, also from here
  const [asked, ask] = useState(level)
  if (asked !== level) {
    ask(level)
    setQuery({ ...query, level })
  }
  return (
    <LogView
      stream={stream}
      download={served.wholeLog(at.project, at.job, at.run)}
      query={query}
      onQuery={(next) => {
        setQuery(next)
        view({
          q: next.text || undefined,
          regex: next.regex || undefined,
          case: next.matchCase || undefined,
          level: next.level === 'all' ? undefined : next.level,
        })
      }}
      line={line}
      onLine={(chosen) => view({ line: chosen })}
      linkTo={(chosen) => {
        const { run } = search
        const to = pb.job(at.project, at.job, { tab: 'logs', run, line: chosen })
        return new URL(router.buildLocation(to).href, window.location.origin).href
      }}
      onShowSecond={(second) => view({ tab: undefined, line: undefined, at: second })}
      onElsewhere={(byte) => {
        if (byte === null) view({ line: undefined })
        onPlace(byte === null ? null : placeAround(byte))
      }}
    />
  )
}
