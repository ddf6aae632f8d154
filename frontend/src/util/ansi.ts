/**
 * A terminal's output as lines of styled text. Colours and weights (SGR) are kept; every other
 * control sequence is dropped, for a log may come from anywhere and must not move, clear or name
 * anything. A carriage return starts the line over, which folds a progress bar into one line.
 */
export interface Style {
  /** Index into the 16 terminal colours, or a colour as CSS has it. */
  color?: number | string
  background?: number | string
  bold?: boolean
  dim?: boolean
  italic?: boolean
  underline?: boolean
  inverse?: boolean
}

export interface Span {
  text: string
  style: Style
}

export interface Line {
  readonly spans: readonly Span[]
  /** How often the line was written over before it became this: a progress bar's steps. */
  readonly rewrites: number
}

const PLAIN: Style = Object.freeze({})

const ESC = '\u001b'
// the sequences of ECMA-48, one alternative each: CSI; OSC, DCS, SOS, PM and APC with their
// terminator; charset and other two- and three-byte escapes
const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are its subject
  /\u001b(?:\[([0-?]*)[ -/]*([@-~])|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]+[0-~]|[0-Z\\`-~])/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are its subject
const PLAIN_TEXT = /[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\n]+/y
/** Longest sequence worth waiting for when a chunk ends inside one. */
const LONGEST_SEQUENCE = 4096

/** Feeds on chunks cut anywhere, also inside a sequence. */
export class AnsiParser {
  private style: Style = PLAIN
  private spans: Span[] = []
  private rewrites = 0
  private held = ''
  private returned = false

  /**
   * The lines that the chunk completed; `ended` is told where in the chunk each of them ends, 0
   * for one that ended before.
   */
  feed(chunk: string, ended?: (at: number) => void): Line[] {
    const text = this.held + chunk
    const before = this.held.length
    this.held = ''
    const done: Line[] = []
    let at = 0
    while (at < text.length) {
      const char = text[at]
      if (char === '\n') {
        done.push({ spans: this.spans, rewrites: this.rewrites })
        this.spans = []
        this.rewrites = 0
        this.returned = false
        at += 1
        ended?.(Math.max(0, at - before))
      } else if (char === '\r') {
        // only what follows says whether this is a line's end or a line's fresh start
        this.returned = true
        at += 1
      } else if (char === ESC) {
        SEQUENCE.lastIndex = at
        const match = SEQUENCE.exec(text)
        if (match) {
          if (match[2] === 'm') this.style = restyled(this.style, match[1] ?? '')
          at = SEQUENCE.lastIndex
        } else if (text.length - at < LONGEST_SEQUENCE && couldGoOn(text, at)) {
          this.held = text.slice(at)
          break
        } else {
          at += 1
        }
      } else {
        PLAIN_TEXT.lastIndex = at
        const match = PLAIN_TEXT.exec(text)
        if (match) {
          this.write(match[0])
          at = PLAIN_TEXT.lastIndex
        } else {
          at += 1
        }
      }
    }
    return done
  }

  /** The line that has begun and not ended. */
  get open(): Line {
    return { spans: this.spans, rewrites: this.rewrites }
  }

  private write(text: string): void {
    if (this.returned) {
      if (this.spans.length > 0) this.rewrites += 1
      this.spans = []
      this.returned = false
    }
    const last = this.spans.at(-1)
    if (last && last.style === this.style) last.text += text
    else this.spans.push({ text, style: this.style })
  }
}

export function plainText(line: Line): string {
  return line.spans.map((span) => span.text).join('')
}

/** Whether what follows the escape is the beginning of a sequence that more text may complete. */
function couldGoOn(text: string, at: number): boolean {
  const rest = text.slice(at + 1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are its subject
  return /^(?:$|\[[0-?]*[ -/]*$|[\]PX^_][^\u0007\u001b]*\u001b?$|[ -/]+$)/.test(rest)
}

function restyled(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)))
  let next: Style = { ...style }
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0
    if (code === 0) next = {}
    else if (code === 1) next.bold = true
    else if (code === 2) next.dim = true
    else if (code === 3) next.italic = true
    else if (code === 4) next.underline = true
    else if (code === 7) next.inverse = true
    else if (code === 22) {
      delete next.bold
      delete next.dim
    } else if (code === 23) delete next.italic
    else if (code === 24) delete next.underline
    else if (code === 27) delete next.inverse
    else if (code === 39) delete next.color
    else if (code === 49) delete next.background
    else if (code >= 30 && code <= 37) next.color = code - 30
    else if (code >= 90 && code <= 97) next.color = code - 90 + 8
    else if (code >= 40 && code <= 47) next.background = code - 40
    else if (code >= 100 && code <= 107) next.background = code - 100 + 8
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(i + 1))
      if (color !== undefined) next[code === 38 ? 'color' : 'background'] = color
      i += used
    }
  }
  return Object.keys(next).length === 0 ? PLAIN : next
}

/** The colour after a 38 or 48, and how many codes it took. */
function extended(codes: number[]): [number | string | undefined, number] {
  const [mode, a = 0, b = 0, c = 0] = codes
  if (mode === 5) return [palette(a), 2]
  if (mode === 2 && codes.length >= 4) return [`rgb(${a & 255} ${b & 255} ${c & 255})`, 4]
  return [undefined, 1]
}

/** xterm's 256 colours: the 16, a cube of 6 by 6 by 6, and 24 greys. */
function palette(index: number): number | string {
  const n = index & 255
  if (n < 16) return n
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10
    return `rgb(${grey} ${grey} ${grey})`
  }
  const level = (v: number) => (v === 0 ? 0 : 55 + v * 40)
  const cube = n - 16
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`
}
