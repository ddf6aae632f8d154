import { useId, useRef } from 'react'
import classes from './CodeEditor.module.css'

export interface Mistake {
  /** Counted from 1. */
  line: number
  message: string
}

interface Props {
  label: string
  text: string
  onChange: (text: string) => void
  mistakes: Mistake[]
  /** How a line is called to those who do not see it marked. */
  lineName: (line: number) => string
}

/** Some lines of text to edit, with their numbers and what is wrong in which. */
export function CodeEditor({ label, text, onChange, mistakes, lineName }: Props) {
  const about = useId()
  const gutter = useRef<HTMLPreElement>(null)
  const wrong = new Set(mistakes.map(({ line }) => line))
  const count = text.split('\n').length
  return (
    <div className={classes.editor} data-wrong={wrong.size > 0 || undefined}>
      <div className={classes.lines}>
        <pre ref={gutter} className={classes.gutter} aria-hidden="true">
          {Array.from({ length: count }, (_, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <span key={index} data-wrong={wrong.has(index + 1) || undefined}>
              {index + 1}
            </span>
          ))}
        </pre>
        <textarea
          aria-label={label}
          aria-invalid={wrong.size > 0}
          aria-describedby={wrong.size > 0 ? about : undefined}
          spellCheck={false}
          autoCapitalize="off"
          wrap="off"
          rows={Math.min(Math.max(count, 6), 22)}
          value={text}
          onChange={(event) => onChange(event.currentTarget.value)}
          onScroll={(event) => {
            if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop
          }}
        />
      </div>
      {mistakes.length > 0 && (
        <ul id={about} className={classes.mistakes}>
          {mistakes.map(({ line, message }) => (
            <li key={`${line} ${message}`}>
              <strong>{lineName(line)}</strong> {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
