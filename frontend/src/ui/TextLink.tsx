import { Anchor, type AnchorProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { ComponentProps } from 'react'

/** A link within text or a table's cell. */
export const TextLink = createLink((props: AnchorProps & Omit<ComponentProps<'a'>, 'style'>) => (
  <Anchor inherit {...props} />
))
