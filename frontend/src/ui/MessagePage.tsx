import { Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'

interface Props {
  title: string
  text: string
  children?: ReactNode
}

/** A whole page that has one thing to say. */
export function MessagePage({ title, text, children }: Props) {
  return (
    <Stack component="main" gap="sm" p="xl" align="flex-start" maw={560} mx="auto" mt="10vh">
      <Title order={1}>{title}</Title>
      <Text>{text}</Text>
      {children}
    </Stack>
  )
}
