import { SegmentedControl } from '@mantine/core'
import { useEffect, useMemo, useState } from 'react'
import type { Endpoint, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { Panel } from '@/ui/Panel'
import { callFormOf, exampleOf } from '@/util/call-form'
import { jsonText } from '@/util/json-text'
import type { Call } from '@/util/snippets'
import { JsonInput } from './JsonInput'
import { PictureInput } from './PictureInput'
import classes from './Playground.module.css'
import { base64Of } from './pictures'
import { Result } from './Result'
import { Snippets } from './Snippets'
import { type Sent, usePrediction } from './use-prediction'

/** Where a key belongs in a snippet, until one was made on this page. */
const NO_KEY = 'dhk_YOUR_KEY'
/** A picture up to this size is written into the snippet itself. */
const WRITTEN_BYTES = 3000

interface Props {
  project: Project
  endpoint: Endpoint
  /** The text of a key that was just made. */
  secret: string | null
}

/** A form made from the model's signature, and what the model answers to it. */
export function Playground({ project, endpoint, secret }: Props) {
  const { t } = useI18n()
  const signature = useMemo(() => callFormOf(endpoint.signature), [endpoint.signature])
  const { picture } = signature
  const [how, setHow] = useState<'picture' | 'json'>(picture ? 'picture' : 'json')
  const [json, setJson] = useState(() => jsonText(exampleOf(signature)))
  const [sent, setSent] = useState<Sent | null>(null)
  const asked = usePrediction(endpoint.id)
  const inForm: Sent | null =
    how === 'json' ? { body: json, contentType: 'application/json' } : sent
  const call = useCall(endpoint.url, secret ?? NO_KEY, inForm)
  return (
    <div className={classes.playground}>
      <Panel label={t('endpoints.input')} className={classes.side}>
        <div className={classes.head}>
          <h2>{t('endpoints.input')}</h2>
          {picture && (
            <SegmentedControl
              size="xs"
              aria-label={t('endpoints.input')}
              value={how}
              onChange={(value) => {
                setHow(value as 'picture' | 'json')
                setSent(null)
                asked.clear()
              }}
              data={[
                { value: 'picture', label: t('endpoints.by_picture') },
                { value: 'json', label: 'JSON' },
              ]}
            />
          )}
        </div>
        {picture && how === 'picture' ? (
          <PictureInput
            {...{ project, endpoint, picture }}
            onPicture={(chosen) => {
              setSent(chosen)
              asked.ask(chosen)
            }}
            onDrawing={(drawn) => {
              setSent(drawn)
              asked.askSoon(drawn)
            }}
            onCleared={() => {
              setSent(null)
              asked.clear()
            }}
          />
        ) : (
          <JsonInput signature={signature} busy={asked.busy} onAsk={asked.ask} onText={setJson} />
        )}
      </Panel>
      <Panel label={t('endpoints.output')} className={classes.side}>
        <div className={classes.head}>
          <h2>{t('endpoints.output')}</h2>
        </div>
        <Result {...{ project, endpoint }} {...asked} />
      </Panel>
      <div className={classes.below}>
        <Snippets call={call} />
      </div>
    </div>
  )
}

/** What a program would send for what is in the form. */
function useCall(url: string, key: string, sent: Sent | null): Call {
  const [written, write] = useState<{ of: Blob; base64: string } | null>(null)
  const picture = sent?.body instanceof Blob ? sent.body : null
  useEffect(() => {
    if (!picture || picture.size > WRITTEN_BYTES) return
    let wanted = true
    void base64Of(picture).then((base64) => {
      if (wanted) write({ of: picture, base64 })
    })
    return () => {
      wanted = false
    }
  }, [picture])
  if (sent && typeof sent.body === 'string') {
    return { url, key, contentType: sent.contentType, sent: { json: sent.body } }
  }
  const contentType = sent?.contentType ?? 'image/png'
  if (written && written.of === picture) {
    return { url, key, contentType, sent: { base64: written.base64 } }
  }
  return { url, key, contentType, sent: { file: sent?.file ?? 'picture.png' } }
}
