/** What can be told of a log's lines from their words alone. */

export type Level = 'error' | 'warning' | null

const ERROR =
  /\b(?:error|err|fatal|critical|exception|traceback|panic|failed)\b|\w(?:Error|Exception)\b/i
const WARNING = /\bwarn(?:ing)?\b|\w+Warning\b/i
const TRACEBACK = /^Traceback \(most recent call last\)/
/** Words that far into a line are data, not a level. */
const LOOKED_AT = 300

/** Guesses each line's level; the lines of a Python traceback are errors up to its last. */
export class Levels {
  private inTraceback = false

  of(text: string): Level {
    if (this.inTraceback) {
      // indented, or empty between two tracebacks, until the line that names the exception
      this.inTraceback = /^\s|^$/.test(text)
      return 'error'
    }
    const head = text.slice(0, LOOKED_AT)
    if (TRACEBACK.test(head)) {
      this.inTraceback = true
      return 'error'
    }
    if (ERROR.test(head)) return /\b(?:0|no) (?:error|failed)/i.test(head) ? null : 'error'
    return WARNING.test(head) ? 'warning' : null
  }
}

/** How many bytes a part of a text is in UTF-8. */
export function utf8Length(text: string, from = 0, to = text.length): number {
  let bytes = 0
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) bytes += 1
    else if (code < 0x800) bytes += 2
    // a pair of surrogates is one character of four bytes
    else if (code >= 0xd800 && code < 0xe000) bytes += 2
    else bytes += 3
  }
  return bytes
}

export interface Query {
  text: string
  regex: boolean
  matchCase: boolean
}

/** A pattern for a query; null if there is nothing to look for or it is no regular expression. */
export function patternOf({ text, regex, matchCase }: Query): RegExp | null {
  if (text === '') return null
  try {
    const source = regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return new RegExp(source, matchCase ? 'g' : 'gi')
  } catch {
    return null
  }
}

/** Where in a text a pattern matches, without empty matches. */
export function matchesIn(text: string, pattern: RegExp, most = 200): [from: number, to: number][] {
  const found: [number, number][] = []
  for (const match of text.matchAll(pattern)) {
    if (match[0] !== '') found.push([match.index, match.index + match[0].length])
    if (found.length >= most) break
  }
  return found
}
