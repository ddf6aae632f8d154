import { describe, expect, it } from 'vitest'
import * as make from '../../test/make'
import { formats } from './formats'
import { checksOf } from './node-checks'

const wrong = (over: Parameters<typeof make.node>[0]) =>
  checksOf(make.node(over), formats('en'))
    .filter(({ ok }) => !ok)
    .map(({ advice }) => advice?.key)

const gpu = {
  id: 'd1',
  uuid: 'GPU-1',
  index: 0,
  name: 'H100',
  memory_bytes: 80 * 1024 ** 3,
  simulated: false,
  present: true,
  parent: '',
  divided: false,
  healthy: true,
  unhealthy_at: null,
  health_reason: null,
  health_action: '' as const,
  facts: {},
}
const facts = { driver: '550.1', cuda: '12.4', torch: '2.9' }

describe('the checks of a new node', () => {
  it('find nothing wrong with a complete one', () => {
    expect(wrong({ facts, devices: [gpu] })).toEqual([])
  })

  it('say what to do about what is missing', () => {
    expect(wrong({ facts: { torch: '' } })).toEqual([
      'check.driver',
      'check.cuda',
      'check.torch',
      'check.gpus_none',
    ])
  })

  it('find a sick GPU, a small disk and a wrong clock', () => {
    const sick = { ...gpu, healthy: false }
    expect(
      wrong({ facts, devices: [sick], disk_bytes: 1024 ** 3, clock_offset_ms: -31_000 }),
    ).toEqual(['check.gpus_sick', 'check.disk', 'check.clock'])
  })

  it('do not take simulated GPUs for real ones', () => {
    expect(wrong({ facts, devices: [{ ...gpu, simulated: true }] })).toEqual([
      'check.gpus_simulated',
    ])
  })
})
