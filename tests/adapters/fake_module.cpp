// Compiled and named like a kernel module by the tests: only what modinfo(8) reads is in it.
extern "C" {
[[gnu::section(".modinfo"), gnu::used]] extern const char gpuhost_fake_modinfo[] =
    "name=fake_gpu\0version=570.1\0license=GPL\0parm=enable_rate:frames a second\0parmtype=enable_rate:int\0"
    "parm=quiet-mode:says less\0vermagic=1.0";
}
