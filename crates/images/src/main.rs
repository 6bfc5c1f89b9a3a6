//! The program of the image store. It speaks as `scientist_pool_protocol::images` has it, and ends with
//! whoever started it. Archives and registries may be anybody's: they are read in here, not in that process,
//! with a bound on the memory.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod program;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    program::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("scientist-pool-images needs Linux");
    ExitCode::FAILURE
}
