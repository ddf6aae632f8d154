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

/** The canvas is so many times as high as what is seen, so that a little scrolling moves it as it is. */
const SCREENS = 3

export class FleetPainter {
  private readonly canvas: HTMLCanvasElement
  private picture: Picture | null = null
  private drawn = new Int16Array(0)
  private written: string[] = []
  private dark: boolean[] = []
  /** What is seen: of the whole picture, its top and height. */
  private view = { top: 0, width: 0, height: 0 }
  /** Where the canvas begins in the whole picture, and its size. */
  private base = 0
  private size = { width: 0, height: 0, ratio: 1 }
  private byCode = new Uint32Array(0)
  private frame = 0
  private whole = false

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas
  }

  show(picture: Picture): void {
    if (picture.layout !== this.picture?.layout) {
      this.drawn = new Int16Array(picture.source.length)
      this.byCode = new Uint32Array(picture.source.length)
    }
    this.dark = picture.palette.map(isLight)
    this.picture = picture
    this.later(true)
  }

  resize(width: number, height: number): void {
    this.view.width = width
    this.view.height = height
    this.later(true)
  }

  scroll(top: number): void {
    this.view.top = top
    const beyond = top < this.base || top + this.view.height > this.base + this.size.height
    this.later(beyond)
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
      if (this.picture) this.paint(this.picture, all)
    })
  }

  private paint(picture: Picture, whole: boolean): void {
    const context = this.canvas.getContext('2d')
    if (!context) return
    if (whole) this.place(picture)
    const { layout, source, codes } = picture
    const { width, height, ratio } = this.size
    context.setTransform(ratio, 0, 0, ratio, PAD * ratio, (PAD - this.base) * ratio)
    if (whole) {
      context.clearRect(-PAD, this.base - PAD, width, height)
      this.drawn.fill(-1)
      if (layout.named) this.nameNodes(context, picture)
    }
    const { top } = this.view
    const [from, until] = cellsBetween(layout, top - PAD, top + this.view.height)
    const words = layout.cell >= WORDS_FROM
    // sorted by colour, since to change it takes as long as to fill a cell
    const counts = new Uint32Array(picture.palette.length + 1)
    for (let i = from; i < until; i++) {
      const cell = source[i] ?? 0
      const code = codes[cell] ?? 0
      const same = this.drawn[i] === code && (!words || this.written[i] === picture.words(cell))
      this.drawn[i] = same ? -2 - code : code
      if (!same) counts[code + 1] = (counts[code + 1] ?? 0) + 1
    }
    for (let code = 1; code < counts.length; code++) {
      counts[code] = (counts[code] ?? 0) + (counts[code - 1] ?? 0)
    }
    const changed = counts.at(-1) ?? 0
    for (let i = from; i < until; i++) {
      const code = this.drawn[i] ?? 0
      if (code < -1) {
        this.drawn[i] = -2 - code
        continue
      }
      const at = counts[code] ?? 0
      this.byCode[at] = i
      counts[code] = at + 1
    }
    this.paintCells(context, picture, this.byCode.subarray(0, changed))
    if (words) this.paintWords(context, picture, this.byCode.subarray(0, changed))
  }

  /** Lay the canvas so that what is seen is in its middle. */
  private place({ layout }: Picture): void {
    const total = Math.max(layout.height + 2 * PAD, this.view.height)
    const height = Math.min(total, SCREENS * this.view.height)
    const ratio = window.devicePixelRatio || 1
    const middle = this.view.top - (height - this.view.height) / 2
    this.base = Math.round(Math.max(0, Math.min(middle, total - height)))
    const { width } = this.view
    const same = this.size.width === width && this.size.height === height
    if (!same || this.size.ratio !== ratio) {
      this.size = { width, height, ratio }
      this.canvas.width = Math.round(width * ratio)
      this.canvas.height = Math.round(height * ratio)
      this.canvas.style.width = `${width}px`
      this.canvas.style.height = `${height}px`
    }
    this.canvas.style.top = `${this.base}px`
  }

  private paintCells(
    context: CanvasRenderingContext2D,
    picture: Picture,
    changed: Uint32Array,
  ): void {
    const { layout, palette, source } = picture
    const side = layout.cell
    const cut = Math.max(3, Math.round(side / 5))
    let before = -1
    for (const i of changed) {
      const code = this.drawn[i] ?? 0
      if (code !== before) context.fillStyle = palette[code] ?? picture.ground
      before = code
      context.fillRect(layout.x[i] ?? 0, layout.y[i] ?? 0, side, side)
    }
    // of a simulated device a corner is missing
    context.fillStyle = picture.ground
    context.beginPath()
    for (const i of changed) {
      if (!picture.simulated[source[i] ?? 0]) continue
      const [right, top] = [(layout.x[i] ?? 0) + side, layout.y[i] ?? 0]
      context.moveTo(right - cut, top)
      context.lineTo(right, top)
      context.lineTo(right, top + cut)
    }
    context.fill()
    for (const i of changed) {
      const [x, y] = [layout.x[i] ?? 0, layout.y[i] ?? 0]
      if (this.drawn[i] === 0) {
        context.strokeStyle = picture.line
        context.lineWidth = 1
        context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1)
      }
      if (picture.unhealthy[source[i] ?? 0]) {
        context.strokeStyle = picture.bad
        context.lineWidth = 2
        context.strokeRect(x + 1, y + 1, side - 2, side - 2)
      }
    }
  }

  private paintWords(
    context: CanvasRenderingContext2D,
    picture: Picture,
    changed: Uint32Array,
  ): void {
    const { layout, source } = picture
    const side = layout.cell
    context.font = `${side >= 48 ? 13 : 11}px ${picture.font}`
    context.textAlign = 'center'
    context.textBaseline = 'middle'
    for (const i of changed) {
      const code = this.drawn[i] ?? 0
      const said = picture.words(source[i] ?? 0)
      this.written[i] = said
      context.fillStyle = code === 0 ? picture.text : this.dark[code] ? '#0b1a24' : '#ffffff'
      const [x, y] = [layout.x[i] ?? 0, layout.y[i] ?? 0]
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
      if (y + height < this.base - PAD || y > this.base + this.size.height) continue
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
