/** jsdom has no canvas to draw on; what is drawn is told by the chart's name and value. */
export default class {
  static sync() {
    return { sub() {}, unsub() {} }
  }
  over = document.createElement('div')
  setData() {}
  setSize() {}
  setCursor() {}
  valToPos() {
    return 0
  }
  posToVal() {
    return 0
  }
  destroy() {}
}
