#include "kinds/vgpu/mixed_sizes.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/vgpu_placements.hpp"
#include "kinds/vgpu/placements.hpp"

namespace gpuhost {

namespace {

std::string list_of(const std::vector<unsigned>& numbers) {
  std::vector<std::string> words;
  for (const auto number : numbers) words.push_back(std::to_string(number));
  return join(words, ", ");
}

/// Sources: NVIDIA AI Enterprise vGPU user guide, "Valid Time-Sliced Virtual GPU Configurations on a Single
/// GPU" and the appendix on placements.
class Layout {
 public:
  Layout(const GpuCase& on, const std::set<Uuid>& staying) : on_(on), staying_(staying) {}

  MixedLayout make() {
    layout_.placements.resize(on_.wanted.size());
    for (std::size_t i = 0; i < on_.wanted.size(); ++i) add(i);
    if (is_known_) find_overlaps();
    if (!layout_.problems.empty()) return std::move(layout_);
    if (is_known_)
      solve();
    else
      count();
    return std::move(layout_);
  }

 private:
  struct Entry {
    std::size_t position;  ///< among those wanted
    std::string type;      ///< in short
    Lying lying;
  };

  [[nodiscard]] const WantedVgpu& vgpu(const Entry& entry) const { return on_.wanted[entry.position]; }

  /// The fixed ones come first, so that one that finds no room is one that could lie elsewhere.
  void add(std::size_t position) {
    const auto& vgpu = on_.wanted[position];
    const auto type = on_.type_of(vgpu);
    if (!type || type->needs_mig()) return;
    const auto* listed = on_.board == nullptr ? nullptr : catalog::find_type(*on_.board, vgpu.spec->type);
    if (listed != nullptr && listed->max_mixed == 0U)
      layout_.problems.push_back(
          fmt::format("{} has no {} in mixed-size mode: choose another type, or set sizes: equal",
                      on_.title(), type->name));
    Entry entry{position, type->name, {}};
    if (type->framebuffer_mb) entry.lying.size = catalog::size_in_gb(*type->framebuffer_mb);
    if (on_.board != nullptr && entry.lying.size > 0)
      entry.lying.starts = catalog::placements_of(*on_.board, entry.lying.size);
    is_known_ = is_known_ && !entry.lying.starts.empty();
    const bool is_fixed = fix(entry);
    entries_.insert(is_fixed ? entries_.begin() + static_cast<std::ptrdiff_t>(fixed_++) : entries_.end(),
                    std::move(entry));
  }

  /// Where it lies already, or the document says that it shall.
  bool fix(Entry& entry) {
    const auto& vgpu = this->vgpu(entry);
    auto& starts = entry.lying.starts;
    if (staying_.contains(vgpu.uuid)) {
      const auto there = on_.state.find(vgpu.uuid)->placement;
      is_known_ = is_known_ && there;
      if (there) starts = {*there};
      return true;
    }
    if (!vgpu.placement) return false;
    layout_.placements[entry.position] = vgpu.placement;
    if (!starts.empty() && !std::ranges::binary_search(starts, *vgpu.placement))
      layout_.problems.push_back(fmt::format("vGPU {} shall lie at {}, where no {} can: it lies at {} on {}",
                                             vgpu.name, *vgpu.placement, entry.type, list_of(starts),
                                             on_.title()));
    starts = {*vgpu.placement};
    return true;
  }

  void find_overlaps() {
    for (std::size_t i = 0; i < fixed_; ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const auto& [size, starts] = entries_[i].lying;
        const auto& [other_size, other_starts] = entries_[j].lying;
        if (starts[0] >= other_starts[0] + other_size || other_starts[0] >= starts[0] + size) continue;
        layout_.problems.push_back(
            fmt::format("{} GB from {} on for vGPU {} and {} GB from {} on for vGPU {} overlap on {}: give "
                        "one of them another "
                        "placement, or leave it to gpuhost",
                        other_size, other_starts[0], vgpu(entries_[j]).name, size, starts[0],
                        vgpu(entries_[i]).name, on_.title()));
      }
  }

  [[nodiscard]] std::vector<Lying> first(std::size_t count) const {
    std::vector<Lying> lying;
    for (std::size_t i = 0; i < count; ++i) lying.push_back(entries_[i].lying);
    return lying;
  }

  void solve() {
    if (entries_.empty()) return;
    const auto framebuffer = on_.board->framebuffer_gb;
    if (const auto starts = lay_out(framebuffer, first(entries_.size()))) {
      for (std::size_t i = 0; i < entries_.size(); ++i)
        layout_.placements[entries_[i].position] = (*starts)[i];
      return;
    }
    std::size_t fits = 0;
    while (lay_out(framebuffer, first(fits + 1))) ++fits;
    layout_.problems.push_back(why_no_room(fits));
  }

  /// Of the first that does not lie beside those before it.
  [[nodiscard]] std::string why_no_room(std::size_t before) const {
    const auto& entry = entries_[before];
    std::map<std::string, unsigned> counts;
    for (std::size_t i = 0; i < before; ++i) ++counts[entries_[i].type];
    std::vector<std::string> others;
    for (const auto& [type, count] : counts) others.push_back(fmt::format("{} {}", count, type));
    const auto fitting = types_beside(before);
    return fmt::format(
        "vGPU {} finds no room on {}: {} has {} GB and lies at {}, and beside {} nothing of that is free; "
        "{}",
        vgpu(entry).name, on_.title(), entry.type, entry.lying.size, list_of(entry.lying.starts),
        join(others, ", "),
        fitting.empty() ? "leave it out" : "choose one that fits there: " + join(fitting, ", "));
  }

  /// Time-sliced types of the series that fit beside the first few, the largest first.
  [[nodiscard]] std::vector<std::string> types_beside(std::size_t before) const {
    const auto* wanted = catalog::find_type(*on_.board, vgpu(entries_[before]).spec->type);
    std::map<unsigned, std::string, std::greater<>> fitting;
    for (const auto& type : catalog::types_of(*on_.board)) {
      if (wanted == nullptr || type.series != wanted->series || !type.gpu_instance.empty() ||
          !type.framebuffer_mb || type.max_mixed == 0U)
        continue;
      auto lying = first(before);
      const auto size = catalog::size_in_gb(*type.framebuffer_mb);
      lying.push_back({size, catalog::placements_of(*on_.board, size)});
      if (lay_out(on_.board->framebuffer_gb, lying)) fitting.emplace(size, short_type(type.name));
    }
    std::vector<std::string> names;
    for (const auto& [size, name] : fitting) names.push_back(name);
    return names;
  }

  /// Where only the driver knows the placements, as many of each type as NVIDIA's guide says, and no more
  /// than the framebuffer holds.
  void count() {
    if (on_.board == nullptr) return;
    unsigned sum = 0;
    std::map<std::string, unsigned> counts;
    for (const auto& entry : entries_) {
      sum += entry.lying.size;
      const auto* type = catalog::find_type(*on_.board, entry.type);
      if (const auto number = ++counts[entry.type];
          type != nullptr && type->max_mixed && number == *type->max_mixed + 1)
        layout_.problems.push_back(fmt::format("in mixed-size mode {} of {} fit on {}: list no more",
                                               *type->max_mixed, entry.type, on_.title()));
    }
    if (sum > on_.board->framebuffer_gb)
      layout_.problems.push_back(fmt::format("the vGPUs of {} have {} GB together, and it has {}: list fewer",
                                             on_.title(), sum, on_.board->framebuffer_gb));
  }

  const GpuCase& on_;
  const std::set<Uuid>& staying_;
  MixedLayout layout_;
  std::vector<Entry> entries_;
  std::size_t fixed_ = 0;  ///< how many of the entries can lie at one place only
  bool is_known_ = true;   ///< where each may lie, and where those that stay do
};

}  // namespace

MixedLayout mixed_layout(const GpuCase& on, const std::set<Uuid>& staying) {
  return Layout(on, staying).make();
}

}  // namespace gpuhost
