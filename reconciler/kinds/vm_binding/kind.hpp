#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/vm_binding/devices.hpp"
#include "kinds/vm_binding/vm_binding.hpp"

namespace gpuhost {

/// A domain, read.
struct Guest {
  std::string connection;
  Domain domain;
  Result<DomainXml> definition;  ///< of the next start; of the running guest where there is none (transient)
  Result<DomainXml> live;        ///< as `definition` when it is off, unless it is saved

  /// By either of its descriptions.
  [[nodiscard]] DomainKeeper keeper() const;
  /// Whether gpuhost may stop, start and change it, if the policy lets it. Not if it cannot tell whose it is.
  [[nodiscard]] bool may_be_stopped() const { return why_not_stopped().empty(); }
  /// Why it may not, and whom to ask.
  [[nodiscard]] std::string why_not_stopped() const;
};

struct VmBindingState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  Result<Uuid> space;  ///< that vGPUs' identities are made in
  Result<Ownership> owned;
  bool vendor_kernel = false;                ///< see has_vendor_kernel
  std::map<std::string, Error> unreachable;  ///< connections whose domains cannot be told
  /// By connection and name: the domains that the document or its record names, and those of the local
  /// libvirt that run or have host devices.
  std::map<std::string, std::map<std::string, Guest>> guests;
  std::map<std::string, std::vector<std::string>> names;  ///< of all domains, by connection

  [[nodiscard]] Json describe() const;
  /// None where they cannot be told.
  [[nodiscard]] const Inventory& gpus() const;
  [[nodiscard]] const Guest* find(const std::string& connection, const std::string& name) const;
};

class VmBinding final : public KindOver<VmBindingState> {
 public:
  static constexpr std::string_view kind_name = "vm_binding";
  VmBinding(std::vector<VmSpec> vms, std::vector<NamedDevices> devices, bool all_matter)
      : vms_(std::move(vms)), devices_(std::move(devices)), all_matter_(all_matter) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::guests; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] VmBindingState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const VmBindingState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const VmBindingState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const VmBindingState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const VmBindingState& state) const override;

 private:
  void compare(const VmSpec& spec, const VmBindingState& state, const vm_binding::DeviceTable& table,
               const PlanInput& input, Proposal& proposal) const;
  void give_back(const std::string& object, const Ownership::Object& recorded, const VmBindingState& state,
                 const vm_binding::DeviceTable& table, const PlanInput& input, Proposal& proposal) const;
  [[nodiscard]] vm_binding::DeviceTable table(const VmBindingState& state, const Ownership& owned) const;
  [[nodiscard]] const VmSpec* spec_of(const std::string& name) const;
  [[nodiscard]] std::string connection_of(const std::string& name) const;
  /// The host devices that the guest has from its next start on, once the plan is done; without vGPUs whose
  /// functions are still to come.
  [[nodiscard]] std::vector<HostDevice> final_devices(const Guest& guest,
                                                      const vm_binding::DeviceTable& table,
                                                      const PlanInput& input) const;
  /// The step takes the devices for the guest: no other guest that runs then has them, and this one has them
  /// from there on.
  void take(const std::set<vm_binding::Device>& devices, const Guest& guest, const VmBindingState& state,
            const vm_binding::DeviceTable& table, const PlanInput& input, Step& step) const;
  /// The step that starts the guest, with all that its final definition needs.
  [[nodiscard]] Step start_of(const Guest& guest, const VmBindingState& state,
                              const vm_binding::DeviceTable& table, const PlanInput& input) const;

  std::vector<VmSpec> vms_;
  std::vector<NamedDevices> devices_;
  bool all_matter_;
};

namespace vm_binding {

/// "vm[NAME].FIELD", in plans and records.
[[nodiscard]] std::string address(std::string_view vm, std::string_view field);
/// "running" or "stopped".
[[nodiscard]] std::string_view running_word(bool running);
/// The running guest does not have the device.
[[nodiscard]] Fact without(const Guest& guest, const Device& device);

/// How the definition is changed; nothing in it: it stays as it is.
struct Redefinition {
  std::set<Device> remove;
  std::set<Device> unmanage;     ///< managed='yes' that becomes 'no'
  std::vector<std::string> add;  ///< elements
  [[nodiscard]] bool empty() const { return remove.empty() && unmanage.empty() && add.empty(); }
};

/// `before` and `after`: its NVIDIA devices.
[[nodiscard]] Step define_step(const Guest& guest, const Redefinition& change, Json before, Json after);
[[nodiscard]] Step start_step(const Guest& guest);
[[nodiscard]] Step stop_step(const Guest& guest, const Policy& policy);
[[nodiscard]] Step autostart_step(const Guest& guest, bool on);
[[nodiscard]] Step attach_step(const Guest& guest, const Device& device);
[[nodiscard]] Step detach_step(const Guest& guest, const Device& device);

}  // namespace vm_binding

}  // namespace gpuhost
