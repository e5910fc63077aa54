#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// Reads the files of -f into `diagnostics`; directories stand for their *.yaml and *.yml in byte order.
/// Without -f it is what the boot units apply. With `trusted`, only files that nobody but root can have
/// written.
[[nodiscard]] OrExit<void> read_documents(const Options& options, bool trusted, Diagnostics& diagnostics);

/// Decodes what was read; every problem goes to standard error.
[[nodiscard]] OrExit<DecodedDocument> decode_or_tell(Diagnostics& diagnostics, bool skip_missing);

/// Reads and decodes; every problem of every file goes to standard error.
[[nodiscard]] OrExit<DecodedDocument> load_document(const Options& options, bool trusted);

}  // namespace gpuhost
