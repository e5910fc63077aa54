#pragma once

#include <memory>

#include "cli/run_output.hpp"

namespace gpuhost {

/// Passes on what a run tells, and writes into systemd's journal who has changed what, an entry for each
/// change; README.md lists the entries. Where no journal runs it passes on only.
[[nodiscard]] std::unique_ptr<RunOutput> make_audited_output(std::unique_ptr<RunOutput> next,
                                                             const Options& options);

}  // namespace gpuhost
