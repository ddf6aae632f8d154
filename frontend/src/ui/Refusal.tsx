import { Alert, type AlertProps } from '@mantine/core'
import { useRefusal } from '@/hooks/use-refusal'

interface Props extends Omit<AlertProps, 'children'> {
  /** What went wrong; nothing is shown while nothing has. */
  of: unknown
}

/** Why something was refused or could not be had, in the reader's language. */
export function Refusal({ of: error, ...more }: Props) {
  const refusal = useRefusal()
  if (!error) return null
  return (
    <Alert color="red" role="alert" {...more}>
      {refusal(error)}
    </Alert>
  )
}
