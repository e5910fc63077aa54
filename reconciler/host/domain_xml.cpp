#include "host/domain_xml.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/text.hpp"

namespace gpuhost {

namespace {

using Device = std::variant<PciAddress, Uuid>;

/// More than libvirt accepts of one definition (VIR_DOMAIN_XML is an RPC string of at most 4 MiB). Source:
/// libvirt src/remote/remote_protocol.x, REMOTE_STRING_MAX.
constexpr std::size_t most_bytes = std::size_t{4} << 20U;

/// A stretch of the text.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// One past the `>` that ends the tag which starts at `at`; blanks in quotes do not count.
std::size_t end_of_tag(std::string_view xml, std::size_t at) {
  char quote = 0;
  for (; at < xml.size(); ++at) {
    const char c = xml[at];
    if (quote != 0)
      quote = c == quote ? '\0' : quote;
    else if (c == '"' || c == '\'')
      quote = c;
    else if (c == '>')
      return at + 1;
  }
  return xml.size();
}

/// One past the element that starts at `begin`. The text has been parsed before, so that its tags match.
std::size_t end_of_element(std::string_view xml, std::size_t begin) {
  std::size_t depth = 0;
  for (std::size_t at = begin; at < xml.size();) {
    const auto rest = xml.substr(at);
    const auto skip = [&](std::string_view opening, std::string_view closing) {
      const auto found =
          xml.find(closing, at + opening.size());  // `<!-->` opens a comment and does not end it
      at = found == std::string_view::npos ? xml.size() : found + closing.size();
    };
    if (!rest.starts_with('<')) {
      at = std::min(xml.find('<', at), xml.size());
    } else if (rest.starts_with("<!--")) {
      skip("<!--", "-->");
    } else if (rest.starts_with("<![CDATA[")) {
      skip("<![CDATA[", "]]>");
    } else if (rest.starts_with("<?")) {
      skip("<?", "?>");
    } else {
      const auto end = end_of_tag(xml, at);
      const bool closes = rest.starts_with("</");
      const bool empty = xml[end - 2] == '/';
      at = end;
      if (closes)
        --depth;
      else if (!empty)
        ++depth;
      if (depth == 0) return end;
    }
  }
  return xml.size();
}

std::optional<std::uint64_t> number(const pugi::xml_node& node, const char* name) {
  const auto attribute = node.attribute(name);
  return attribute ? parse_unsigned(attribute.value()) : 0;
}

std::optional<PciAddress> pci_source(const pugi::xml_node& address) {
  const auto domain = number(address, "domain");
  const auto bus = number(address, "bus");
  const auto slot = number(address, "slot");
  const auto function = number(address, "function");
  if (!address || !domain || !bus || !slot || !function || *domain > 0xffffffff || *bus > 0xff ||
      *slot > 31 || *function > 7)
    return std::nullopt;
  return PciAddress{static_cast<std::uint32_t>(*domain), static_cast<std::uint8_t>(*bus),
                    static_cast<std::uint8_t>(*slot), static_cast<std::uint8_t>(*function)};
}

/// The device of a <hostdev>, if it is one of the two sorts a GPU comes in.
std::optional<Device> device_of(const pugi::xml_node& hostdev) {
  const std::string_view type = hostdev.attribute("type").value();
  const auto address = hostdev.child("source").child("address");
  if (std::string_view(hostdev.attribute("mode").value()) != "subsystem") return std::nullopt;
  if (type == "pci") {
    if (const auto found = pci_source(address)) return Device(*found);
  } else if (type == "mdev") {
    if (const auto uuid = Uuid::parse(address.attribute("uuid").value())) return Device(*uuid);
  }
  return std::nullopt;
}

/// A domain's text with the tree that was read of it.
class Document {
 public:
  [[nodiscard]] static Result<Document> parse(std::string_view xml) {
    if (xml.size() > most_bytes)
      return fail(ErrorKind::invalid, fmt::format("a domain's XML of {} bytes is too large", xml.size()));
    Document document(xml);
    // Without document types: entities of one's own have no place in a domain.
    const auto parsed =
        document.tree_->load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
    if (!parsed)
      return fail(ErrorKind::invalid,
                  fmt::format("this is no XML: {} (byte {})", parsed.description(), parsed.offset));
    if (!document.root()) return fail(ErrorKind::invalid, "this is no XML of a domain: it has no <domain>");
    return document;
  }

  [[nodiscard]] pugi::xml_node root() const { return tree_->child("domain"); }
  [[nodiscard]] Range range_of(const pugi::xml_node& element) const {
    const auto begin =
        static_cast<std::size_t>(element.offset_debug()) - 1;  // the offset is that of the name
    return {begin, end_of_element(text_, begin)};
  }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  explicit Document(std::string_view xml) : text_(xml), tree_(std::make_unique<pugi::xml_document>()) {}
  std::string_view text_;
  std::unique_ptr<pugi::xml_document> tree_;
};

/// The namespace of an element, by the nearest declaration of its prefix.
std::string_view namespace_of(const pugi::xml_node& element) {
  const std::string_view name = element.name();
  const auto colon = name.find(':');
  const auto declaration =
      colon == std::string_view::npos ? std::string("xmlns") : fmt::format("xmlns:{}", name.substr(0, colon));
  for (auto node = element; node; node = node.parent())
    if (const auto declared = node.attribute(declaration.c_str())) return declared.value();
  return {};
}

/// Sources: nova/virt/libvirt/config.py (NOVA_NS); kubevirt.io/kubevirt, pkg/virt-launcher/virtwrap/api (the
/// metadata element `kubevirt` in the namespace http://kubevirt.io).
DomainKeeper keeper_of(const pugi::xml_node& domain) {
  for (const auto& element : domain.child("metadata").children()) {
    const auto space = namespace_of(element);
    if (space.starts_with("http://openstack.org/xmlns/libvirt/nova/")) return DomainKeeper::nova;
    if (space.starts_with("http://kubevirt.io")) return DomainKeeper::kubevirt;
  }
  return DomainKeeper::none;
}

bool is_managed(const pugi::xml_node& hostdev) {
  return std::string_view(hostdev.attribute("managed").value()) == "yes";
}

/// A stretch that is to be replaced.
struct Edit {
  Range range;
  std::string text;
};

/// The element's stretch, with the white space before it: so that its line goes with it.
Range with_indentation(std::string_view xml, Range range) {
  const auto before = xml.find_last_not_of(" \t\r\n", range.begin - 1);
  range.begin = before == std::string_view::npos ? range.begin : before + 1;
  return range;
}

/// What is between the quotes of an attribute of the element. The text has been parsed before, so that each
/// attribute is a name, an equals sign and a quoted value.
std::optional<Range> value_of(std::string_view xml, Range element, std::string_view attribute) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto tag = xml.substr(0, end_of_tag(xml, element.begin));
  auto at = tag.find_first_of(" \t\r\n/>", element.begin);
  while (true) {
    at = tag.find_first_not_of(blanks, at);
    const auto quote = tag.find_first_of("'\"", at);
    if (quote == std::string_view::npos) return std::nullopt;
    const auto name = tag.substr(at, tag.find_first_of(" \t\r\n=", at) - at);
    const auto end = tag.find(tag[quote], quote + 1);
    if (name == attribute) return Range{quote + 1, end};
    at = end + 1;
  }
}

/// What makes `inner` the last thing in the element; one that is empty is opened for it, and its end tag
/// stands behind `indentation`.
Edit at_end_of(const Document& document, const pugi::xml_node& element, std::string inner,
               std::string_view indentation) {
  const auto xml = document.text();
  const auto range = document.range_of(element);
  if (xml.substr(range.begin, range.end - range.begin).ends_with("/>"))
    return {{range.end - 2, range.end}, fmt::format(">{}\n{}</{}>", inner, indentation, element.name())};
  const auto closing = xml.rfind("</", range.end - 1);
  const auto last = xml.find_last_not_of(" \t\r\n", closing - 1) + 1;
  return {{last, last}, std::move(inner)};
}

/// Where new devices go: behind the others, indented as libvirt does.
Edit addition(const Document& document, const std::vector<std::string>& added) {
  std::string elements;
  for (const auto& element : added) elements += "\n    " + element;
  if (const auto devices = document.root().child("devices"))
    return at_end_of(document, devices, std::move(elements), "  ");
  return at_end_of(document, document.root(), fmt::format("\n  <devices>{}\n  </devices>", elements), "");
}

}  // namespace

Result<DomainXml> read_domain_xml(std::string_view xml) {
  const auto document = Document::parse(xml);
  if (!document) return std::unexpected(document.error());
  DomainXml read;
  read.name = document->root().child("name").text().get();
  read.keeper = keeper_of(document->root());
  for (const auto& hostdev : document->root().child("devices").children("hostdev")) {
    auto device = device_of(hostdev);
    if (!device) continue;
    const auto range = document->range_of(hostdev);
    read.host_devices.push_back({*std::move(device), is_managed(hostdev),
                                 std::string(xml.substr(range.begin, range.end - range.begin))});
  }
  return read;
}

Result<std::string> with_host_devices(std::string_view xml, const std::vector<Device>& removed,
                                      const std::vector<Device>& unmanaged_devices,
                                      const std::vector<std::string>& added) {
  const auto document = Document::parse(xml);
  if (!document) return std::unexpected(document.error());
  const auto names = [](const std::vector<Device>& devices, const Device& device) {
    return std::ranges::find(devices, device) != devices.end();
  };
  std::vector<Edit> edits;
  for (const auto& hostdev : document->root().child("devices").children("hostdev")) {
    const auto device = device_of(hostdev);
    if (!device) continue;
    const auto range = document->range_of(hostdev);
    if (names(removed, *device))
      edits.push_back({with_indentation(xml, range), {}});
    else if (const auto value = value_of(xml, range, "managed");
             value && names(unmanaged_devices, *device) && is_managed(hostdev))
      edits.push_back({*value, "no"});
  }
  if (!added.empty()) edits.push_back(addition(*document, added));
  std::string changed;
  std::size_t copied = 0;
  for (const auto& edit : edits) {  // in the order of the text, since hostdevs are, and additions come last
    changed += xml.substr(copied, std::max(edit.range.begin, copied) - copied);
    changed += edit.text;
    copied = std::max(copied, edit.range.end);
  }
  return changed + std::string(xml.substr(copied));
}

std::string pci_host_device_element(const PciAddress& address) {
  return fmt::format(
      "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x{:04x}' bus='0x{:02x}' "
      "slot='0x{:02x}' function='0x{:x}'/></source></hostdev>",
      address.domain, address.bus, address.device, address.function);
}

std::string mdev_host_device_element(const Uuid& uuid) {
  return fmt::format(
      "<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'><source><address "
      "uuid='{}'/></source>"
      "</hostdev>",
      uuid.to_string());
}

}  // namespace gpuhost
