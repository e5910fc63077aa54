#pragma once

#include <utility>

#include "document/node.hpp"

namespace gpuhost {

/// A decoded value and where it stands, for checks that look at several values.
template <class T>
struct Located {
  T value;
  Mark mark;

  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

template <class T>
Located(T, Mark) -> Located<T>;

}  // namespace gpuhost
