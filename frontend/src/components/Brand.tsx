import classes from './Brand.module.css'

export function Brand() {
  return (
    <span className={classes.brand}>
      <img src="/favicon.svg" alt="" width={22} height={22} />
      Datahall
    </span>
  )
}
