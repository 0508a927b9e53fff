//! How far a thread stands back behind the workers.

/// Nice value: such a thread gets a tenth of a core that others want as well, and all of one that is idle.
const NICE: i32 = 10;

/// Lowers the priority of the calling thread. On Linux a nice value is the thread's, elsewhere it would be that of the whole
/// process, and nothing happens; where the system refuses, nothing is lost.
pub fn stand_back() {
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}
