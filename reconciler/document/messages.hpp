#pragma once

#include "document/diagnostics.hpp"

/// Every message that reading a document can give. A message is one sort of mistake; the text of a Problem
/// says which object it is about. `all_messages()` lists them, and a test wants a case of each.
namespace gpuhost::messages {

// The file.
inline constexpr Message file_too_large{"file-too-large", "a file is larger than the limit"};
inline constexpr Message not_utf8{"not-utf8", "a file is not UTF-8 text, or has a NUL byte"};
inline constexpr Message empty_file{"empty-file", "a file has no content"};

// YAML.
inline constexpr Message yaml_syntax{"yaml-syntax", "a file is not YAML"};
inline constexpr Message several_documents{"several-documents", "a file has more than one YAML document"};
inline constexpr Message tag{"tag", "a value has a YAML tag"};
inline constexpr Message too_deep{"too-deep", "values are nested deeper than the limit"};
inline constexpr Message too_many_values{"too-many-values",
                                         "a file has more values than the limit, aliases expanded"};
inline constexpr Message recursive_alias{"recursive-alias", "an alias stands inside its own anchor"};
inline constexpr Message duplicate_key{"duplicate-key", "a mapping has the same key twice"};
inline constexpr Message key_not_text{"key-not-text", "the key of a mapping is not a plain word"};

// Keys and types.
inline constexpr Message unknown_key{"unknown-key", "a key that the contract does not have"};
inline constexpr Message missing_key{"missing-key", "a key that must be given is not"};
inline constexpr Message not_exactly_one{"not-exactly-one",
                                         "none or several of keys of which one must be given"};
inline constexpr Message wrong_type{"wrong-type", "a mapping, list or scalar where another is needed"};
inline constexpr Message needs_quotes{"needs-quotes",
                                      "text that YAML reads as a number, truth value or null"};
inline constexpr Message not_boolean{"not-boolean", "a value other than true and false"};
inline constexpr Message not_integer{"not-integer", "a value that is not a whole number"};
inline constexpr Message out_of_range{"out-of-range", "a number, duration or list outside its range"};
inline constexpr Message unknown_word{"unknown-word", "a value that is not one of the words the key takes"};
inline constexpr Message malformed{"malformed", "a value that is not of the form the key takes"};

// The document as a whole.
inline constexpr Message wrong_api_version{"wrong-api-version",
                                           "apiVersion is not one that this version reads"};
inline constexpr Message wrong_kind{"wrong-kind", "kind is not the one of such a file"};
inline constexpr Message conflicting_values{"conflicting-values", "two files give one scalar two values"};
inline constexpr Message too_many_entries{"too-many-entries",
                                          "more GPUs, virtual machines or vGPUs than the limit"};

// Names.
inline constexpr Message duplicate_name{"duplicate-name", "two entries have the same name"};
inline constexpr Message undefined_name{"undefined-name", "a name that nothing defines"};
inline constexpr Message used_twice{"used-twice", "one vGPU or GPU in two places"};
inline constexpr Message same_gpu{"same-gpu", "two entries select the same GPU"};

// Kernel and units.
inline constexpr Message unmanaged_parameter{"unmanaged-parameter",
                                             "a kernel parameter that gpuhost must not manage"};
inline constexpr Message refused_unit{"refused-unit", "a unit that a document must not manage"};

// Keys that do not go together.
inline constexpr Message contradiction{"contradiction", "two keys that cannot both hold"};
inline constexpr Message layout_conflict{"layout-conflict",
                                         "a layout and the entry that uses it give the same key"};
inline constexpr Message mode_without_driver{"mode-without-driver",
                                             "a GPU mode that the host driver cannot serve"};
inline constexpr Message two_drivers{"two-drivers",
                                     "modes vgpu and bare-metal, which need different host drivers"};
inline constexpr Message wrong_mode{"wrong-mode", "a key that the entry's mode has no use for"};
inline constexpr Message mixed_sizes{"mixed-sizes",
                                     "what cannot be with mixed-size vGPUs, or only with them"};
inline constexpr Message scheduler_keys{"scheduler-keys", "scheduler keys that the policy does not take"};

}  // namespace gpuhost::messages
