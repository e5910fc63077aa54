#include "kinds/virtualization/virtualization.hpp"

#include "kinds/one_pass.hpp"

namespace gpuhost::testing {
namespace {

FakeHost intel_host() {
  FakeHost host;
  host.files["/proc/cpuinfo"] = "vendor_id : GenuineIntel\nflags : fpu vmx\n\n";
  host.files["/proc/cmdline"] = "ro\n";
  host.files["/dev/kvm"] = "";
  host.files["/sys/module/kvm_intel/parameters/nested"] = "Y\n";
  host.files["/sys/firmware/acpi/tables/DMAR"] = "";
  host.directories.insert("/sys/class/iommu/dmar0");
  return host;
}

Proposal required(const FakeHost& host) {
  return plan(*make_virtualization({true}), host, {}, {});
}

TEST(Virtualization, usable_needs_no_step) {
  const auto seen = required(intel_host());
  EXPECT_TRUE(seen.steps.empty());
  for (const auto& found : seen.findings) EXPECT_EQ(found.verdict, Finding::Verdict::in_sync);
}

TEST(Virtualization, ignored_says_nothing) {
  const auto seen = plan(*make_virtualization({}), FakeHost{}, {}, {});
  EXPECT_TRUE(seen.findings.empty());
  EXPECT_TRUE(seen.steps.empty());
}

TEST(Virtualization, needs_the_kernel_parameter_where_the_firmware_offers_an_iommu) {
  auto host = intel_host();
  host.directories.clear();
  const auto seen = required(host);
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_TRUE(seen.steps[0].check_only);
  EXPECT_EQ(seen.steps[0].needs, (std::vector<Fact>{{"kernel_parameter/intel_iommu", "on"}}));
  EXPECT_TRUE(seen.steps[0].blocked_by.empty());
  host.files["/proc/cmdline"] = "ro intel_iommu=on\n";
  EXPECT_TRUE(required(host).steps.at(0).blocked_by.at(0).contains("DMAR"));
}

TEST(Virtualization, on_amd_needs_the_iommu_not_to_be_off) {
  auto host = intel_host();
  host.directories = {"/sys/class/iommu"};
  host.files.erase("/sys/firmware/acpi/tables/DMAR");
  host.files["/sys/firmware/acpi/tables/IVRS"] = "";
  host.files["/proc/cmdline"] = "amd_iommu=off iommu=off\n";
  EXPECT_EQ(required(host).steps.at(0).needs, (std::vector<Fact>{{"kernel_parameter/iommu", "not off"},
                                                                 {"kernel_parameter/amd_iommu", "not off"}}));
}

TEST(Virtualization, without_iommu_in_the_firmware_is_blocked) {
  auto host = intel_host();
  host.directories = {"/sys/firmware/acpi/tables/APIC"};
  host.files.erase("/sys/firmware/acpi/tables/DMAR");
  EXPECT_TRUE(required(host).steps.at(0).blocked_by.at(0).contains("VT-d"));
}

TEST(Virtualization, needs_the_module_where_the_processor_can) {
  auto host = intel_host();
  host.files.erase("/dev/kvm");
  host.files.erase("/sys/module/kvm_intel/parameters/nested");
  EXPECT_EQ(required(host).steps.at(0).needs, (std::vector<Fact>{{"module/kvm_intel", "loaded"}}));
  host.files["/proc/cpuinfo"] = "vendor_id : GenuineIntel\nflags : fpu hypervisor\n";
  const auto nested = required(host);
  EXPECT_TRUE(nested.steps.at(0).needs.empty());
  EXPECT_TRUE(nested.steps.at(0).blocked_by.at(0).contains("nested virtualization"));
}

TEST(Virtualization, check_passes_only_when_both_are_there) {
  auto host = intel_host();
  const auto kind = make_virtualization({true});
  EXPECT_TRUE(*kind->satisfied({}, host.view()));
  host.directories.clear();
  EXPECT_FALSE(*kind->satisfied({}, host.view()));
  host.errors["/sys/class/iommu"] = {ErrorKind::denied, "denied"};
  EXPECT_FALSE(kind->satisfied({}, host.view()));
  EXPECT_TRUE(finding(required(host), "virtualization.iommu").permission);
}

TEST(Virtualization, tells_whether_the_iommu_is_active) {
  const Fact active{"iommu", "active"};
  const auto told = [&](const FakeHost& host) {
    const auto kind = make_virtualization({});
    return kind->holds(active, *kind->observe(host.view()))->value;
  };
  auto host = intel_host();
  EXPECT_EQ(told(host), Truth::Value::yes);
  host.errors["/sys/class/iommu"] = {ErrorKind::denied, "denied"};
  EXPECT_EQ(told(host), Truth::Value::unknown);
  host.errors.clear();
  host.directories.clear();
  EXPECT_EQ(told(host), Truth::Value::no);
  host.running = false;
  EXPECT_EQ(told(host), Truth::Value::unknown);

  const auto kind = make_virtualization({});
  EXPECT_FALSE(kind->holds({"iommu", "other"}, *kind->observe(host.view())));
  EXPECT_TRUE(kind->advice(active).contains("virtualization: required"));
  EXPECT_EQ(kind->advice({"module/vfio_pci", "loaded"}), "");
}

TEST(Virtualization, check_provides_the_iommu_only_where_it_is_off) {
  auto host = intel_host();
  host.directories.clear();
  EXPECT_EQ(required(host).steps.at(0).provides, (std::vector<Fact>{{"iommu", "active"}}));
  host = intel_host();
  host.files.erase("/dev/kvm");
  EXPECT_TRUE(required(host).steps.at(0).provides.empty());
}

void put_gpu(FakeHost& host, const char* vf_bar) {
  const std::string gpu = "/sys/bus/pci/devices/0000:41:00.0/";
  host.files[gpu + "vendor"] = "0x10de\n";
  host.files[gpu + "device"] = "0x2235\n";
  host.files[gpu + "class"] = "0x030200\n";
  host.files[gpu + "config"] = std::string(64, '\0');
  host.files[gpu + "sriov_totalvfs"] = "32\n";
  host.links[gpu + "iommu_group"] = "../../../../kernel/iommu_groups/27";
  const std::string none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
  host.files[gpu + "resource"] = none + none + none + none + none + none + none + vf_bar + none;
}

TEST(Virtualization, warns_of_virtual_functions_without_address_space) {
  auto host = intel_host();
  put_gpu(host, "0x0000000000000000 0x000000000003ffff 0x0000000000140204\n");
  const auto seen = required(host);
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_EQ(seen.notes[0].address, "virtualization.gpus[0000:41:00.0]");
  EXPECT_TRUE(seen.notes[0].advice.contains("Above 4G decoding"));
  put_gpu(host, "0x0000380000000000 0x000038000003ffff 0x0000000000140204\n");
  EXPECT_TRUE(required(host).notes.empty());
}

TEST(Virtualization, describes_what_it_could_not_see_as_unknown) {
  auto host = intel_host();
  put_gpu(host, "");
  const auto shown = make_virtualization({})->observe(host.view())->describe();
  EXPECT_EQ(shown["gpus"][0]["sriov_total_vfs"], 32);
  EXPECT_TRUE(shown["gpus"][0]["ari"].contains("unknown"));
  EXPECT_EQ(shown["processor"]["virtualization"], "VT-x");
}

}  // namespace
}  // namespace gpuhost::testing
