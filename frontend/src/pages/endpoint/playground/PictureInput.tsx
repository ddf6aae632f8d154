import { Button, FileButton, SegmentedControl, VisuallyHidden } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { ImageUp } from 'lucide-react'
import { type DragEvent, useEffect, useRef, useState } from 'react'
import { type ExamplePicture, examplesQuery } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { Note } from '@/ui/Note'
import type { CallForm } from '@/util/call-form'
import { centred, greyOf } from '@/util/digit'
import { DrawPad } from './DrawPad'
import classes from './Playground.module.css'
import { KINDS, paint, pngOf, preview } from './pictures'
import type { Sent } from './use-prediction'

interface Props {
  project: Project
  endpoint: Endpoint
  picture: NonNullable<CallForm['picture']>
  onPicture: (sent: Sent) => void
  /** As it is being drawn. */
  onDrawing: (sent: Sent) => void
  onCleared: () => void
}

/** A picture for the model: drawn, dropped, pasted, chosen, or one that was held out. */
export function PictureInput(props: Props) {
  const { project, endpoint, picture, onPicture, onDrawing, onCleared } = props
  const { t } = useI18n()
  // what is drawn is white on black, as a model of grey pictures expects; others get a file
  const canDraw = picture.channels === 1
  const [how, setHow] = useState<'draw' | 'file'>(canDraw ? 'draw' : 'file')
  const seen = useRef<HTMLCanvasElement>(null)
  const [shown, show] = useState(false)
  const [wrong, setWrong] = useState<string | null>(null)
  const [over, setOver] = useState(false)
  const drawn = useRef(0)
  // another picture takes the drawing's place
  const [sheet, takeSheet] = useState(0)

  const forget = () => {
    drawn.current += 1
    show(false)
    setWrong(null)
    onCleared()
  }
  const ink = async (drawing: ImageData) => {
    const canvas = seen.current
    const grey = centred(greyOf(drawing), picture.side)
    if (!canvas || !grey) return
    drawn.current += 1
    const mine = drawn.current
    paint(canvas, grey)
    show(true)
    const body = await pngOf(canvas)
    if (mine === drawn.current) onDrawing({ body, contentType: 'image/png' })
  }
  const choose = async (file: File | Blob | null, name?: string) => {
    if (!file) return
    if (!KINDS.includes(file.type)) {
      setWrong(t('endpoints.picture_kind', { found: file.type || (name ?? '?') }))
      return
    }
    setWrong(null)
    drawn.current += 1
    takeSheet((count) => count + 1)
    const canvas = seen.current
    if (!canvas) return
    try {
      await preview(canvas, file, picture)
      show(true)
    } catch {
      show(false) // the server says better what is wrong with it
    }
    onPicture({ body: file, contentType: file.type, ...(name && { file: name }) })
  }

  const latest = useRef(choose)
  useEffect(() => {
    latest.current = choose
  })
  useEffect(() => {
    const onPaste = ({ clipboardData }: ClipboardEvent) => {
      const file = [...(clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'))
      if (file) void latest.current(file, file.name)
    }
    window.addEventListener('paste', onPaste)
    return () => window.removeEventListener('paste', onPaste)
  }, [])

  const onDrop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    const [file] = event.dataTransfer.files
    if (file) void choose(file, file.name)
  }
  return (
    <section
      aria-label={t('endpoints.how')}
      className={classes.input}
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      {canDraw && (
        <SegmentedControl
          size="xs"
          aria-label={t('endpoints.how')}
          value={how}
          onChange={(value) => {
            setHow(value as 'draw' | 'file')
            forget()
          }}
          data={[
            { value: 'draw', label: t('endpoints.draw') },
            { value: 'file', label: t('endpoints.picture') },
          ]}
        />
      )}
      <div className={classes.sources}>
        {how === 'draw' ? (
          <DrawPad key={sheet} onInk={(drawing) => void ink(drawing)} onCleared={forget} />
        ) : (
          <div className={classes.drop}>
            <ImageUp size={26} aria-hidden />
            <p>{t('endpoints.drop')}</p>
            <FileButton
              accept={KINDS.join(',')}
              inputProps={{ 'aria-label': t('endpoints.choose') }}
              onChange={(file) => void choose(file, file?.name)}
            >
              {(props) => (
                <Button {...props} size="xs" variant="default">
                  {t('endpoints.choose')}
                </Button>
              )}
            </FileButton>
          </div>
        )}
        <figure className={classes.seen}>
          <canvas
            ref={seen}
            width={picture.side}
            height={picture.side}
            data-empty={!shown || undefined}
            role="img"
            aria-label={t('endpoints.seen')}
          />
          <figcaption>
            {t('endpoints.seen')}
            <span className="numbers">
              {picture.side} × {picture.side}
            </span>
          </figcaption>
        </figure>
      </div>
      {wrong && <Note tone="bad">{wrong}</Note>}
      <Examples
        project={project}
        endpoint={endpoint}
        onChosen={(blob, name) => void choose(blob, name)}
      />
    </section>
  )
}

interface ExamplesProps {
  project: Project
  endpoint: Endpoint
  onChosen: (picture: Blob, name: string) => void
}

/** Pictures to try the model with, for who cannot or will not draw. */
function Examples({ project, endpoint, onChosen }: ExamplesProps) {
  const { t } = useI18n()
  const { model, number } = endpoint.deployment.version
  const { data: examples = [] } = useQuery(examplesQuery(project.slug, model, number))
  const [failed, fail] = useState(false)
  if (examples.length === 0) return null
  const take = async ({ url, label }: ExamplePicture) => {
    try {
      const answer = await fetch(new Request(url))
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
      const picture = await answer.blob()
      fail(false)
      onChosen(picture, `${label}.${picture.type.split('/')[1] ?? 'png'}`)
    } catch {
      fail(true)
    }
  }
  return (
    <section aria-label={t('endpoints.examples')} className={classes.examples}>
      <h3>{t('endpoints.examples')}</h3>
      <ul>
        {examples.map((example) => (
          <li key={example.url}>
            <button type="button" onClick={() => void take(example)} title={example.label}>
              <img src={example.url} alt="" />
              <VisuallyHidden>{t('endpoints.example_of', { label: example.label })}</VisuallyHidden>
            </button>
          </li>
        ))}
      </ul>
      {failed && <Note tone="bad">{t('endpoints.example_failed')}</Note>}
    </section>
  )
}
