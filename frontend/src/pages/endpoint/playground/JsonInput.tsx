import { Button, Group, Textarea } from '@mantine/core'
import { useState } from 'react'
import { useI18n } from '@/i18n'
import { type CallForm, exampleOf, shapeText } from '@/util/call-form'
import { jsonText } from '@/util/json-text'
import classes from './Playground.module.css'
import type { Sent } from './use-prediction'

interface Props {
  signature: CallForm
  busy: boolean
  onAsk: (sent: Sent) => void
  onText: (text: string) => void
}

/** Numbers of the right shape, to be changed by hand: for any model there is. */
export function JsonInput({ signature, busy, onAsk, onText }: Props) {
  const { t } = useI18n()
  const [text, setText] = useState(() => jsonText(exampleOf(signature)))
  const wrong = whatIsWrong(text)
  const change = (next: string) => {
    setText(next)
    onText(next)
  }
  return (
    <div className={classes.input}>
      <dl className={classes.takes}>
        {signature.inputs.map(({ name, dtype, shape }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="numbers">
              {dtype} · {shapeText(shape)}
            </dd>
          </div>
        ))}
      </dl>
      <Textarea
        label={t('endpoints.body')}
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
        error={wrong && t('endpoints.no_json', { why: wrong })}
        spellCheck={false}
        rows={14}
        classNames={{ input: classes.code ?? '' }}
      />
      <Group gap="xs">
        <Button
          size="xs"
          loading={busy}
          disabled={wrong !== null}
          onClick={() => onAsk({ body: text, contentType: 'application/json' })}
        >
          {t('endpoints.predict')}
        </Button>
        <Button size="xs" variant="default" onClick={() => change(jsonText(exampleOf(signature)))}>
          {t('endpoints.example')}
        </Button>
      </Group>
    </div>
  )
}

function whatIsWrong(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
