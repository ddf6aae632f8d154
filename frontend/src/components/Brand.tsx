import classes from './Brand.module.css'

/** `compact`: on a phone the sign alone. */
export function Brand({ compact }: { compact?: boolean }) {
  return (
    <span className={classes.brand} data-compact={compact || undefined}>
      <img src="/favicon.svg" alt="" width={22} height={22} />
      <span className={classes.word}>Datahall</span>
    </span>
  )
}
