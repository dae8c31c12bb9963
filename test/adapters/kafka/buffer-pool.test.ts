import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { BufferPool, sizeClass } from '../../../src/adapters/kafka/buffer-pool.ts'

suite('the buffer pool', () => {
  test('a buffer comes back only when all who hold it have released it', () => {
    const pool = new BufferPool(1 << 20)
    const first = pool.lease(100_000)
    first.retain()
    first.release()
    const second = pool.lease(100_000)
    assert.notEqual(second.bytes.buffer, first.bytes.buffer)
    first.release()
    assert.equal(pool.lease(100_000).bytes.buffer, first.bytes.buffer)
  })

  test('releasing too often, or retaining what has gone back, is a mistake that shows', () => {
    const lease = new BufferPool(0).lease(10)
    lease.release()
    assert.throws(() => lease.release(), /more often/)
    assert.throws(() => lease.retain(), /gone back/)
  })

  test('keeps no more idle bytes than it may, and accounts for every byte held', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 30 }),
        fc.nat(600_000),
        (sizes, limit) => {
          const pool = new BufferPool(limit)
          const leases = sizes.map(size => pool.lease(size))
          assert.deepEqual(
            leases.map(lease => lease.bytes.length),
            sizes
          )
          assert.equal(
            pool.heldBytes,
            leases.reduce((sum, lease) => sum + lease.heldBytes, 0)
          )
          for (const lease of leases) lease.release()
          assert.equal(pool.leases, 0)
          assert.equal(pool.heldBytes, 0)
          assert.ok(pool.idleBytes <= limit)
        }
      )
    )
  })

  test('an idle buffer up to twice the size serves, the smallest that fits', () => {
    const pool = new BufferPool(4 << 20)
    const [large, small] = [pool.lease(1 << 20), pool.lease(700_000)]
    large.release()
    small.release()
    assert.equal(pool.lease(600_000).bytes.buffer, small.bytes.buffer)
    assert.equal(pool.lease(600_000).bytes.buffer, large.bytes.buffer)
    assert.equal(pool.lease(600_000).heldBytes, sizeClass(600_000))
  })

  test('a size that nobody asks for any more makes room for one that is asked for', () => {
    const pool = new BufferPool(1 << 20)
    const old = [pool.lease(500_000), pool.lease(500_000)]
    for (const lease of old) lease.release()
    const wanted = pool.lease(90_000)
    wanted.release()
    assert.equal(pool.lease(90_000).bytes.buffer, wanted.bytes.buffer)
  })

  test('size classes waste at most a quarter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 << 20 }), size => {
        assert.ok(sizeClass(size) >= size && sizeClass(size) <= size * 1.25)
      })
    )
  })
})
