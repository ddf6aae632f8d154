import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { difference, type Verdict } from '@/util/comparison'
import classes from './Delta.module.css'

interface Props {
  metric: string
  now: number | null | undefined
  then: number | null | undefined
}

const WORDS: Record<Verdict, MessageKey | null> = {
  better: 'models.better',
  worse: 'models.worse',
  same: 'models.same',
  unknown: null,
}

/** By how much a metric moved, and whether that is good: in a sign, a word and a colour. */
export function Delta({ metric, now, then }: Props) {
  const { t, format } = useI18n()
  const found = difference(metric, now, then)
  if (!found) return null
  const { by, verdict } = found
  const word = WORDS[verdict]
  return (
    <span className={`${classes.delta} numbers`} data-verdict={verdict}>
      {verdict !== 'same' && `${by > 0 ? '+' : '−'}${format.value(Math.abs(by))}`}
      {word && <span className={classes.word}>{t(word)}</span>}
    </span>
  )
}
