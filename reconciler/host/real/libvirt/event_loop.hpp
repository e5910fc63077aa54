#pragma once

namespace gpuhost {

/// Sees to it that libvirt's events are delivered, by a thread that lives as long as the process, and that
/// libvirt prints nothing. To be called before a connection is opened; safe to call from several threads.
/// Without such a thread, which the system may refuse, no event comes and waits end at their deadline.
void run_event_loop();

}  // namespace gpuhost
