#pragma once

#include <map>
#include <string>

#include "document/map_reader.hpp"
#include "document/node.hpp"

namespace gpuhost {

/// The named parts of a GPU entry that stand under `layouts`.
class Layouts {
 public:
  /// `layouts` may be absent.
  explicit Layouts(const Value& layouts);

  /// The layouts themselves, by name.
  [[nodiscard]] const std::vector<NamedValue>& all() const { return layouts_; }

  /// The entry with the keys of the layout it names put in, and `layout` left out. Reports a name that no
  /// layout has and a key that both give.
  [[nodiscard]] Node applied_to(const Value& entry, Reading& reading) const;

 private:
  std::vector<NamedValue> layouts_;
};

}  // namespace gpuhost
