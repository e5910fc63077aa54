#pragma once

#include <map>
#include <memory>
#include <typeindex>

namespace gpuhost {

/// What has been worked out of one look at a host, so that all who look share it. Lives for one look; for one
/// thread.
class RoundMemo {
 public:
  /// The T of this look; `make` is called for the first who asks.
  template <class T, class Make>
  std::shared_ptr<const T> once(Make make) {
    auto& place = values_[typeid(T)];
    if (!place) place = std::make_shared<const T>(make());
    return std::static_pointer_cast<const T>(place);
  }

 private:
  std::map<std::type_index, std::shared_ptr<const void>> values_;
};

}  // namespace gpuhost
