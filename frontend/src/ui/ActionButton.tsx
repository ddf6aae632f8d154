import { Button, type ButtonProps, Tooltip } from '@mantine/core'

interface Props extends ButtonProps {
  onClick: () => void
  /** Why it cannot be pressed now; the button stays reachable, so that one can learn it. */
  disabledReason?: string | undefined
}

export function ActionButton({ disabledReason, onClick, children, ...rest }: Props) {
  const refused = disabledReason !== undefined
  return (
    <Tooltip
      label={disabledReason}
      disabled={!refused}
      events={{ hover: true, focus: true, touch: true }}
    >
      <Button
        {...rest}
        aria-disabled={refused || undefined}
        data-disabled={refused || undefined}
        onClick={(event) => {
          if (refused) event.preventDefault()
          else onClick()
        }}
      >
        {children}
      </Button>
    </Tooltip>
  )
}
