#pragma once

#include "cli/options.hpp"

namespace gpuhost {

/// One function for each verb. Each tells the user everything itself and yields the exit code.
[[nodiscard]] ExitCode run_validate(const Options& options);
[[nodiscard]] ExitCode run_observe(const Options& options);
[[nodiscard]] ExitCode run_export(const Options& options);
[[nodiscard]] ExitCode run_plan(const Options& options);
[[nodiscard]] ExitCode run_apply(const Options& options);
[[nodiscard]] ExitCode run_confirm(const Options& options);
[[nodiscard]] ExitCode run_verify(const Options& options);
[[nodiscard]] ExitCode run_release(const Options& options);
[[nodiscard]] ExitCode run_recover(const Options& options);
[[nodiscard]] ExitCode run_status(const Options& options);
[[nodiscard]] ExitCode run_catalog(const Options& options);
[[nodiscard]] ExitCode run_fleet(const Options& options);
[[nodiscard]] ExitCode run_import(const Options& options);
[[nodiscard]] ExitCode run_schema(const Options& options);
[[nodiscard]] ExitCode run_completion(const Options& options);

}  // namespace gpuhost
