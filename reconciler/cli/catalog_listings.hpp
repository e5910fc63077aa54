#pragma once

#include <string>

#include "base/result.hpp"
#include "render/catalog.hpp"

namespace gpuhost {

// Each takes the model that --gpu gives, or nothing for all there are. invalid: no GPU is called that.

/// vGPU types of boards: what one is, and how many fit.
[[nodiscard]] Result<CatalogListing> vgpu_types_listing(const std::string& model);
/// Profiles of GPU instances: what they take of a GPU, and where they may lie.
[[nodiscard]] Result<CatalogListing> mig_profiles_listing(const std::string& model);
/// Releases of the vGPU software by branch; they are not of one GPU, so that a model is invalid.
[[nodiscard]] Result<CatalogListing> releases_listing(const std::string& model);

}  // namespace gpuhost
