import { Button } from '@mantine/core'
import { Eraser, Undo2 } from 'lucide-react'
import { type PointerEvent, useEffect, useRef, useState } from 'react'
import { useI18n } from '@/i18n'
import classes from './Playground.module.css'

type Point = readonly [x: number, y: number]

/** The drawing's own pixels; what is shown is scaled. */
const SIDE = 280
/** About as thick as the strokes of MNIST are in 20 of 28 pixels. */
const THICK = 20
const SOFT = 5

interface Props {
  /** The drawing has changed: here it is. */
  onInk: (drawing: ImageData) => void
  /** Nothing is left of it. */
  onCleared: () => void
}

/** A black square to draw on in white, with mouse, finger or pen. */
export function DrawPad({ onInk, onCleared }: Props) {
  const { t } = useI18n()
  const canvas = useRef<HTMLCanvasElement>(null)
  const strokes = useRef<Point[][]>([])
  const [count, setCount] = useState(0)

  useEffect(() => {
    draw(canvas.current, [])
  }, [])

  const tell = () => {
    const drawing = draw(canvas.current, strokes.current)
    setCount(strokes.current.length)
    if (strokes.current.length === 0) onCleared()
    else if (drawing) onInk(drawing)
  }
  const pointOf = ({ clientX, clientY, currentTarget }: PointerEvent): Point => {
    const box = currentTarget.getBoundingClientRect()
    const scale = SIDE / box.width
    return [(clientX - box.left) * scale, (clientY - box.top) * scale]
  }
  const onPointerDown = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0) return
    event.currentTarget.setPointerCapture(event.pointerId)
    strokes.current.push([pointOf(event)])
    tell()
  }
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    strokes.current.at(-1)?.push(pointOf(event))
    tell()
  }
  const undo = () => {
    strokes.current.pop()
    tell()
  }
  const clear = () => {
    strokes.current = []
    tell()
  }
  return (
    <div className={classes.draw}>
      <div className={classes.padBox}>
        <canvas
          ref={canvas}
          width={SIDE}
          height={SIDE}
          className={classes.pad}
          role="img"
          aria-label={t('endpoints.pad')}
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
        />
        {count === 0 && (
          <span className={classes.padHint} aria-hidden>
            {t('endpoints.pad_hint')}
          </span>
        )}
      </div>
      <div className={classes.tools}>
        <Button
          size="xs"
          variant="default"
          leftSection={<Undo2 size={14} aria-hidden />}
          disabled={count === 0}
          onClick={undo}
        >
          {t('endpoints.undo')}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<Eraser size={14} aria-hidden />}
          disabled={count === 0}
          onClick={clear}
        >
          {t('endpoints.clear')}
        </Button>
      </div>
    </div>
  )
}

/** White strokes, thick and soft at their edges, on black. */
function draw(canvas: HTMLCanvasElement | null, strokes: Point[][]): ImageData | undefined {
  const context = canvas?.getContext('2d', { willReadFrequently: true })
  if (!context) return undefined
  context.shadowBlur = 0
  context.fillStyle = '#000'
  context.fillRect(0, 0, SIDE, SIDE)
  context.strokeStyle = '#fff'
  context.lineWidth = THICK
  context.lineCap = context.lineJoin = 'round'
  context.shadowColor = '#fff'
  context.shadowBlur = SOFT
  for (const [first, ...rest] of strokes) {
    if (!first) continue
    context.beginPath()
    context.moveTo(...first)
    // a dot is a line to where it began
    if (rest.length === 0) context.lineTo(first[0] + 0.1, first[1])
    for (const point of rest) context.lineTo(...point)
    context.stroke()
  }
  return context.getImageData(0, 0, SIDE, SIDE)
}
