import { TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { Search } from 'lucide-react'
import { useEffect, useState } from 'react'

const TYPED_MS = 150

interface Props {
  label: string
  value: string
  onChange: (value: string | undefined) => void
}

/** A part of a name to find rows by; the address follows what is typed. */
export function NameFilter({ label, value, onChange }: Props) {
  const [typed, type] = useState(value)
  const tell = useDebouncedCallback((text: string) => onChange(text || undefined), TYPED_MS)
  useEffect(() => type(value), [value])
  return (
    <TextInput
      size="sm"
      type="search"
      w={220}
      aria-label={label}
      placeholder={label}
      leftSection={<Search size={13} aria-hidden />}
      value={typed}
      onChange={(event) => {
        type(event.currentTarget.value)
        tell(event.currentTarget.value)
      }}
    />
  )
}
