import { TextInput, type TextInputProps } from '@mantine/core'
import { useState } from 'react'

interface Props
  extends Omit<TextInputProps, 'value' | 'onChange' | 'defaultValue' | 'inputMode' | 'onFocus'> {
  /** A number; anything else is shown as it is, for whoever judges it to say what is wrong. */
  value: unknown
  /** The number, the text if it is none, undefined if it is empty. */
  onChange: (value: number | string | undefined) => void
}

/** A number one types freely: nothing is corrected under one's hands. */
export function NumberField({ value, onChange, ...rest }: Props) {
  const [typed, type] = useState<string | null>(null)
  return (
    <TextInput
      {...rest}
      inputMode="decimal"
      autoComplete="off"
      value={typed ?? shown(value)}
      onFocus={() => type(shown(value))}
      onBlur={(event) => {
        type(null)
        rest.onBlur?.(event)
      }}
      onChange={(event) => {
        type(event.currentTarget.value)
        onChange(read(event.currentTarget.value))
      }}
    />
  )
}

const shown = (value: unknown) => (value === undefined || value === null ? '' : String(value))

function read(text: string): number | string | undefined {
  const clean = text.trim()
  if (clean === '') return undefined
  const number = Number(clean)
  return Number.isFinite(number) ? number : clean
}
