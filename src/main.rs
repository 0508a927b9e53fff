//! The `gatelatch` binary: hands the command line to [`gatelatch::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    gatelatch::cli::main()
}
