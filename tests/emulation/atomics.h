// Atomic operations, relaxed as on the device.
#pragma once

#include <atomic>
#include <type_traits>

#include "tests/emulation/machine.h"

namespace lookalike::emu {

template <class T>
using Same = std::type_identity_t<T>;

template <class T, class F>
T update(T* p, F next) {
  const Atomic around(p);
  T old = __atomic_load_n(p, __ATOMIC_RELAXED), wanted;
  do {
    wanted = next(old);
  } while (!__atomic_compare_exchange_n(p, &old, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace lookalike::emu

template <class T>
T atomicAdd(T* p, lookalike::emu::Same<T> v) {
  const lookalike::emu::Atomic around(p);
  return std::atomic_ref<T>(*p).fetch_add(v, std::memory_order_relaxed);
}
template <class T>
T atomicExch(T* p, lookalike::emu::Same<T> v) {
  const lookalike::emu::Atomic around(p);
  return std::atomic_ref<T>(*p).exchange(v, std::memory_order_relaxed);
}
template <class T>
T atomicMax(T* p, lookalike::emu::Same<T> v) {
  return lookalike::emu::update(p, [&](T old) { return old < v ? v : old; });
}
template <class T>
T atomicMin(T* p, lookalike::emu::Same<T> v) {
  return lookalike::emu::update(p, [&](T old) { return v < old ? v : old; });
}
template <class T>
T atomicOr(T* p, lookalike::emu::Same<T> v) {
  const lookalike::emu::Atomic around(p);
  return __atomic_fetch_or(p, v, __ATOMIC_RELAXED);
}
template <class T>
T atomicCAS(T* p, lookalike::emu::Same<T> expected, lookalike::emu::Same<T> v) {
  const lookalike::emu::Atomic around(p);
  __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
