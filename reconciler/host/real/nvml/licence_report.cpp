#include "host/real/nvml/licence_report.hpp"

#include <algorithm>
#include <span>

namespace gpuhost::nvml {

Observed<bool> read_workstation_licensed(const Session& session, Device device) {
  using Seen = Observed<bool>;
  LicensableFeatures licensable{};
  const auto answer = session.library().licensable_features(device, &licensable);
  if (answer == not_supported) return Seen::absent();
  if (answer != success) return Seen::unknown(session.error(answer, "read the licences of a GPU").message);
  if (licensable.is_supported == 0) return Seen::absent();
  const auto features =
      std::span(licensable.features).first(std::min<std::size_t>(licensable.count, most_licensable_features));
  const auto found = std::ranges::find(features, workstation_feature, &LicensableFeature::code);
  return found == features.end() ? Seen::absent() : Seen(found->is_licensed != 0);
}

}  // namespace gpuhost::nvml
