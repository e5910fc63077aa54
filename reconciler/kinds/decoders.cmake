# The decoders of all kinds. A room of its own: reading a document needs no host.
gpuhost_room(specs
  SOURCES cross_checks.cpp document_policy.cpp document_specs.cpp host_limits.cpp
    display_mode/decode.cpp driver/decode.cpp ecc/decode.cpp functions/decode.cpp guest_driver/decode.cpp
    kernel_modules/decode.cpp kernel_parameters/decode.cpp license/decode.cpp mig/decode.cpp passthrough/decode.cpp
    units/decode.cpp vgpu/decode.cpp virtualization/decode.cpp vm_binding/decode.cpp
  PUBLIC gpuhost_document gpuhost_engine gpuhost_catalog)

# From a document to kinds.
gpuhost_room(decode
  SOURCES registry.cpp unsupported.cpp
  PUBLIC gpuhost_specs gpuhost_kinds)
