/** The canvas of the fleet's map: as large as what is seen of it, and painted where it has changed. */

import { isLight } from '@/util/fleet-colors'
import { cellsBetween, type Layout } from '@/util/fleet-layout'

export const PAD = 12
const WORDS_FROM = 36

export interface Picture {
  layout: Layout
  /** Of each cell of the layout, the fleet's cell that it shows. */
  source: Uint32Array
  /** Of each of the fleet's cells the code of its colour, what is written on it, and its marks. */
  codes: Uint8Array
  words: (cell: number) => string
  simulated: Uint8Array
  unhealthy: Uint8Array
  names: string[]
  palette: string[]
  font: string
  text: string
  ground: string
  line: string
  bad: string
}

export class FleetPainter {
  private readonly canvas: HTMLCanvasElement
  private picture: Picture | null = null
  private drawn = new Int16Array(0)
  private written: string[] = []
  private dark: boolean[] = []
  private top = 0
  private size = { width: 0, height: 0, ratio: 1 }
  private frame = 0
  private whole = false

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas
  }

  show(picture: Picture): void {
    if (picture.layout !== this.picture?.layout) this.drawn = new Int16Array(picture.source.length)
    this.dark = picture.palette.map(isLight)
    this.picture = picture
    this.later(true)
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1
    this.size = { width, height, ratio }
    this.canvas.width = Math.round(width * ratio)
    this.canvas.height = Math.round(height * ratio)
    this.canvas.style.width = `${width}px`
    this.canvas.style.height = `${height}px`
    this.later(true)
  }

  scroll(top: number): void {
    if (top === this.top) return
    this.top = top
    this.later(true)
  }

  /** Codes have changed: paint what differs, with the next frame. */
  refresh(): void {
    this.later(false)
  }

  close(): void {
    cancelAnimationFrame(this.frame)
  }

  private later(whole: boolean): void {
    this.whole ||= whole
    if (this.frame) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      const all = this.whole
      this.whole = false
      this.paint(all)
    })
  }

  private paint(whole: boolean): void {
    const context = this.canvas.getContext('2d')
    const { picture } = this
    if (!context || !picture) return
    const { layout, source, codes } = picture
    const { width, height, ratio } = this.size
    context.setTransform(ratio, 0, 0, ratio, PAD * ratio, (PAD - this.top) * ratio)
    if (whole) {
      context.clearRect(-PAD, this.top - PAD, width, height)
      this.drawn.fill(-1)
    }
    const [from, until] = cellsBetween(layout, this.top - PAD, this.top + height)
    if (whole && layout.named) this.nameNodes(context, picture)
    const words = layout.cell >= WORDS_FROM
    for (let i = from; i < until; i++) {
      const cell = source[i] ?? 0
      const code = codes[cell] ?? 0
      const said = words ? picture.words(cell) : ''
      if (this.drawn[i] === code && (!words || this.written[i] === said)) continue
      this.drawn[i] = code
      if (words) this.written[i] = said
      this.paintCell(context, picture, i, cell, code, said)
    }
  }

  private paintCell(
    context: CanvasRenderingContext2D,
    picture: Picture,
    i: number,
    cell: number,
    code: number,
    said: string,
  ): void {
    const { layout, palette } = picture
    const [x, y, side] = [layout.x[i] ?? 0, layout.y[i] ?? 0, layout.cell]
    context.fillStyle = palette[code] ?? picture.ground
    context.fillRect(x, y, side, side)
    if (code === 0) {
      context.strokeStyle = picture.line
      context.lineWidth = 1
      context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1)
    }
    if (picture.unhealthy[cell]) {
      context.strokeStyle = picture.bad
      context.lineWidth = 2
      context.strokeRect(x + 1, y + 1, side - 2, side - 2)
    }
    if (picture.simulated[cell]) {
      // a corner is missing
      const cut = Math.max(3, Math.round(side / 5))
      context.fillStyle = picture.ground
      context.beginPath()
      context.moveTo(x + side - cut, y)
      context.lineTo(x + side, y)
      context.lineTo(x + side, y + cut)
      context.fill()
    }
    if (said) {
      context.fillStyle = code === 0 ? picture.text : this.dark[code] ? '#0b1a24' : '#ffffff'
      context.font = `${side >= 48 ? 13 : 11}px ${picture.font}`
      context.textAlign = 'center'
      context.textBaseline = 'middle'
      context.fillText(said, x + side / 2, y + side / 2 + 1, side - 4)
    }
  }

  private nameNodes(
    context: CanvasRenderingContext2D,
    { layout, names, font, text }: Picture,
  ): void {
    context.fillStyle = text
    context.font = `11px ${font}`
    context.textAlign = 'left'
    context.textBaseline = 'top'
    for (let i = 0; i < names.length; i++) {
      const [x = 0, y = 0, width = 0, height = 0] = layout.boxes.subarray(i * 4, i * 4 + 4)
      if (y + height < this.top - PAD || y > this.top + this.size.height) continue
      context.fillText(shortened(context, names[i] ?? '', width), x, y + 1)
    }
  }
}

/** A name cut in the middle, where its number is not: both ends tell nodes apart. */
function shortened(context: CanvasRenderingContext2D, name: string, width: number): string {
  if (context.measureText(name).width <= width) return name
  for (let kept = name.length - 2; kept > 4; kept--) {
    const tail = Math.floor(kept / 2)
    const short = `${name.slice(0, kept - tail)}…${name.slice(-tail)}`
    if (context.measureText(short).width <= width) return short
  }
  return name.slice(0, 4)
}
