import type { ReactNode } from 'react'
import classes from './Bars.module.css'

export interface BarRow {
  key: string
  label: ReactNode
  /** One number per part, in the order of `parts`. */
  values: number[]
  /** What the row comes to, as people read it. */
  text: string
  current?: boolean
}

interface Props {
  label: string
  /** What a row is of. */
  head: string
  /** What a bar is made of; one that is named nothing needs no legend. */
  parts: string[]
  rows: BarRow[]
  format: (value: number) => string
}

/** Counts side by side, as lengths and as numbers. */
export function Bars({ label, head, parts, rows, format }: Props) {
  const totals = rows.map(({ values }) => values.reduce((sum, value) => sum + value, 0))
  const most = Math.max(1, ...totals)
  const named = parts.length > 1
  return (
    <>
      {named && (
        <div className={classes.legend} aria-hidden="true">
          {parts.map((part, i) => (
            <span key={part}>
              <i style={{ background: colorOf(i) }} />
              {part}
            </span>
          ))}
        </div>
      )}
      <div className={classes.box}>
        <table className={classes.table} aria-label={label}>
          <thead className={classes.hidden}>
            <tr>
              <th scope="col">{head}</th>
              {parts.map((part) => (
                <th key={part} scope="col">
                  {part || label}
                </th>
              ))}
              <th scope="col">{label}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, label: name, values, text, current }) => (
              <tr key={key} data-current={current || undefined}>
                <th scope="row">{name}</th>
                {/* the numbers of the parts are read out; the eye has the bar and its total */}
                {values.map((value, i) => (
                  <td key={parts[i]} className={classes.hidden}>
                    {format(value)}
                  </td>
                ))}
                <td>
                  <div className={classes.row}>
                    <div className={classes.bar} aria-hidden="true">
                      {values.map((value, i) => (
                        <span
                          key={parts[i]}
                          style={{ width: `${(value / most) * 100}%`, background: colorOf(i) }}
                          title={named ? `${parts[i]}: ${format(value)}` : undefined}
                        />
                      ))}
                    </div>
                    <span className="numbers">{text}</span>
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

const colorOf = (part: number) => `var(--chart-${(part % 8) + 1})`
