import { useI18n } from '@/i18n'
import classes from './ConfusionMatrix.module.css'

interface Props {
  /** Names of the classes, in the order of rows and columns. */
  labels: string[]
  /** Counts by what it is (rows) and what the model took it for (columns). */
  counts: number[][]
  label?: string
  /** The cell that is looked into, and how to look into another; without it cells only show. */
  chosen?: { actual: string; predicted: string } | null
  onChoose?: (cell: { actual: string; predicted: string } | null) => void
}

/** What was taken for what. A cell's colour is its share of its row: of all that really are it. */
export function ConfusionMatrix({ labels, counts, label, chosen, onChoose }: Props) {
  const { t, format } = useI18n()
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard
    <section className={classes.box} aria-label={label ?? t('confusion.title')} tabIndex={0}>
      <table className={`${classes.table} numbers`}>
        <caption className={classes.caption}>{t('confusion.caption')}</caption>
        <thead>
          <tr>
            <th scope="col" className={classes.corner}>
              {t('confusion.corner')}
            </th>
            {labels.map((name) => (
              <th key={name} scope="col" className={classes.predicted} title={name}>
                {name}
              </th>
            ))}
            <th scope="col" className={classes.recall}>
              {t('confusion.recall')}
            </th>
          </tr>
        </thead>
        <tbody>
          {labels.map((actual, row) => {
            const cells = labels.map((_, column) => counts[row]?.[column] ?? 0)
            const total = cells.reduce((sum, count) => sum + count, 0)
            return (
              <tr key={actual}>
                <th scope="row" className={classes.actual} title={actual}>
                  {actual}
                </th>
                {cells.map((count, column) => {
                  const share = total > 0 ? count / total : 0
                  // a mistake of one in a hundred is to be seen too
                  const heat = row === column ? share : Math.sqrt(share)
                  const predicted = labels[column] ?? ''
                  const title = t('confusion.cell', {
                    actual,
                    predicted,
                    count: format.number(count),
                    share: format.percent(share * 100),
                  })
                  const text =
                    count === 0 ? <span className={classes.none}>0</span> : format.number(count)
                  const on = chosen?.actual === actual && chosen.predicted === predicted
                  return (
                    <td
                      key={labels[column]}
                      className={classes.cell}
                      data-right={row === column || undefined}
                      data-strong={heat > 0.55 || undefined}
                      style={{ '--share': heat.toFixed(3) } as React.CSSProperties}
                      title={title}
                    >
                      {onChoose && count > 0 ? (
                        <button
                          type="button"
                          className={classes.choose}
                          aria-pressed={on}
                          aria-label={title}
                          onClick={() => onChoose(on ? null : { actual, predicted })}
                        >
                          {text}
                        </button>
                      ) : (
                        text
                      )}
                    </td>
                  )
                })}
                <td className={classes.recall}>
                  {total > 0 ? format.percent((100 * (cells[row] ?? 0)) / total) : '–'}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}
