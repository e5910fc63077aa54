#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "document/node.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

/// A document in the making.
class DocumentDraft {
 public:
  /// An entry of `gpus`, named by its number. `content`: its keys beside name and match.
  void add_gpu(Node match, Node content);
  void add_layout(std::string_view name, Node content);
  void leave_out(std::string what) { left_out_.push_back(std::move(what)); }

  /// `name`: of the document. What a name cannot have becomes '-'.
  [[nodiscard]] Imported finished(std::string_view name) &&;

 private:
  Node layouts_ = mapping_node();
  Node gpus_ = sequence_node();
  std::vector<std::string> left_out_;
};

/// {key: value}.
[[nodiscard]] Node match_node(std::string key, std::string value);
[[nodiscard]] Node match_node(const PciAddress& address);

/// A name for vGPUs of a type: its last word, "a100-4c".
[[nodiscard]] std::string name_of_vgpu_type(std::string_view type);

}  // namespace gpuhost
